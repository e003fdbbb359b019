#!/usr/bin/env bash
# Builds the image of this checkout with the machine's Docker, or with buildah where no Docker engine runs.
#
# image.sh <tag> [<folder with the sources>]
#
# CCCAM_PLATFORM=linux/arm64 builds it for such machines, without running anything of theirs.
#
# Where the base images cannot be pulled, or CCCAM_BASES=debian asks for it, they are made from Debian's packages first, under the same
# names: the very same Dockerfile is built then. Prints nothing but what it does; what is there already is not made again.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/scripts/packages.sh"

tag=${1:?the tag is missing}
sources=${2:-$here}
cache="${CCCAM_CACHE:-$HOME/.cache/cccam-operator}"
version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' "$sources/package.json")
revision=$(git -C "$sources" rev-parse HEAD 2>/dev/null || echo unknown)
# Labels and not arguments of the build: Debian’s buildah takes a layer that it has already, whatever value an argument has now.
arguments=(--label "org.opencontainers.image.version=$version" --label "org.opencontainers.image.revision=$revision" --tag "$tag" --file "$sources/Dockerfile")

if [ "${CCCAM_BASES:-}" != debian ] && docker info >/dev/null 2>&1; then
  docker build --quiet ${CCCAM_PLATFORM:+--platform "$CCCAM_PLATFORM"} "${arguments[@]}" "$sources"
  exit 0
fi

install_packages buildah
. "$here/scripts/container-storage.sh"
"$here/scripts/base-images.sh" node:24-trixie-slim gcr.io/distroless/nodejs24-debian13:nonroot

log=$(mktemp)
npmrc=$(mktemp)
trap 'rm -f "$log" "$npmrc"' EXIT
# The registry of packages may be behind an authority that only this machine knows. Neither file gets into the image.
authorities=/etc/ssl/certs/ca-certificates.crt
{ cat "$HOME/.npmrc" 2>/dev/null || true; echo "cafile=$authorities"; } >"$npmrc"
volumes=(--volume "$authorities:$authorities:ro" --volume "$npmrc:/root/.npmrc:ro")
# Debian’s buildah does not know by itself what it runs on.
buildah build --platform "$platform" --build-arg "BUILDPLATFORM=linux/$(dpkg --print-architecture)" --pull=never --isolation chroot --layers --timestamp 0 "${volumes[@]}" "${arguments[@]}" "$sources" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
