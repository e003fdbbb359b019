#!/usr/bin/env bash
# Installs the machine's own HAProxy where it is missing, and puts the one of the next Debian release (3.0 LTS) into the cache,
# so that tests run on both. Prints nothing but what it does; safe to run twice.
set -euo pipefail

cache="${CCCAM_CACHE:-$HOME/.cache/cccam-operator}"
release=trixie
wanted="$cache/haproxy-3.0"

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

install_packages() {
  local missing=()
  for package in "$@"; do dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package"); done
  [ ${#missing[@]} -eq 0 ] && return 0
  echo "installing ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

install_packages haproxy
[ "${1:-}" = system ] && exit 0

if [ -x "$wanted/haproxy" ] && "$wanted/haproxy" -v >/dev/null 2>&1; then exit 0; fi

install_packages mmdebstrap patchelf
# The mirror that this machine itself uses.
mirror=$(awk '/^URIs:/{print $2; exit} /^deb /{for(i=2;i<=NF;i++) if($i ~ /:\/\//){print $i; exit}}' \
  /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null || true)
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
