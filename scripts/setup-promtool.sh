#!/usr/bin/env bash
# The checker of Prometheus' rules, out of Debian's package; Prometheus itself is not installed.
set -euo pipefail
cache=${CCCAM_CACHE:-$HOME/.cache/cccam-operator}/promtool
[ -x "$cache/promtool" ] && exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download prometheus >/dev/null 2>&1 || { apt-get update -qq; apt-get download prometheus >/dev/null; }
dpkg-deb -x prometheus_*.deb "$work/package"
mkdir -p "$cache"
mv "$work/package/usr/bin/promtool" "$cache/promtool"
