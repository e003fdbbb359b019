#!/usr/bin/env bash
# Installs the machine's own HAProxy where it is missing, and puts the one of the next Debian release (3.0 LTS) into the cache,
# so that tests run on both. Prints nothing but what it does; safe to run twice.
set -euo pipefail

cache="${CCCAM_CACHE:-$HOME/.cache/cccam-operator}"
release=trixie
wanted="$cache/haproxy-3.0"

. "$(dirname "$0")/packages.sh"

# The others make networks of their own, and cut them.
install_packages haproxy iptables iproute2 procps util-linux
[ "${1:-}" = system ] && exit 0

if [ -x "$wanted/haproxy" ] && "$wanted/haproxy" -v >/dev/null 2>&1; then exit 0; fi

install_packages mmdebstrap patchelf
mirror=$(debian_mirror)
[ -n "$mirror" ] || { echo "no Debian mirror is configured here; set CCCAM_HAPROXY_3_0 to a HAProxy 3.0 instead" >&2; exit 1; }

echo "unpacking HAProxy of Debian $release into $wanted"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
as_root mmdebstrap --quiet --variant=extract --include=haproxy "$release" "$work/root" "$mirror" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
library=$(find "$work/root" -name 'ld-linux-*.so*' -type f -printf '%h\n' | head -n 1)
loader=$(find "$work/root" -name 'ld-linux-*.so*' -type f -printf '%f\n' | head -n 1)
rm -rf "$wanted"
mkdir -p "$wanted/lib"
cp -a "$library"/*.so* "$wanted/lib/"
cp "$work/root/usr/sbin/haproxy" "$wanted/haproxy"
# Its own loader and libraries: HAProxy executes itself again at each reload, so a wrapper would not do.
patchelf --set-interpreter "$wanted/lib/$loader" --force-rpath --set-rpath "$wanted/lib" "$wanted/haproxy"
"$wanted/haproxy" -v | head -n 1
