#!/usr/bin/env bash
# Builds the image of this checkout with the machine's Docker, or with buildah where no Docker engine runs.
#
# image.sh <tag> [<folder with the sources>]
#
# CCCAM_BUILD_BASE and CCCAM_RUNTIME_BASE are base images to take instead of those of the Dockerfile, such as <name>@sha256:<digest>.
# CCCAM_PROVENANCE=<file> is where to write what the image was made from.
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

base_of() { sed -n "s/^ARG $1=//p" "$here/Dockerfile"; }
build_base=${CCCAM_BUILD_BASE:-$(base_of BUILD_BASE)}
runtime_base=${CCCAM_RUNTIME_BASE:-$(base_of RUNTIME_BASE)}

# platform, digest of the image, of the base that builds it, of the base that it stands on
write_provenance() {
  [ -n "${CCCAM_PROVENANCE:-}" ] || return 0
  mkdir -p "$(dirname "$CCCAM_PROVENANCE")"
  (cd "$sources" && "$here/node_modules/.bin/node" "$here/scripts/provenance.ts" "$tag" "$2" "$1" "$build_base=$3" "$runtime_base=$4") >"$CCCAM_PROVENANCE"
}

if [ "${CCCAM_BASES:-}" != debian ] && docker info >/dev/null 2>&1; then
  # <name>@<digest> of what a tag is now
  by_digest() { docker pull --quiet ${2:+--platform "$2"} "$1" >/dev/null && docker image inspect --format '{{index .RepoDigests 0}}' "$1"; }
  build_digest=$(by_digest "$build_base")
  runtime_digest=$(by_digest "$runtime_base" "${CCCAM_PLATFORM:-}")
  docker build --quiet ${CCCAM_PLATFORM:+--platform "$CCCAM_PLATFORM"} --build-arg "BUILD_BASE=$build_digest" --build-arg "RUNTIME_BASE=$runtime_digest" "${arguments[@]}" "$sources"
  write_provenance "${CCCAM_PLATFORM:-linux/$(docker version --format '{{.Server.Arch}}')}" "$(docker image inspect --format '{{.Id}}' "$tag")" "$build_digest" "$runtime_digest"
  exit 0
fi

install_packages buildah
. "$here/scripts/container-storage.sh"
"$here/scripts/base-images.sh" "$build_base" "$runtime_base"

log=$(mktemp)
npmrc=$(mktemp)
trap 'rm -f "$log" "$npmrc"' EXIT
# The registry of packages may be behind an authority that only this machine knows. Neither file gets into the image.
authorities=/etc/ssl/certs/ca-certificates.crt
{ cat "$HOME/.npmrc" 2>/dev/null || true; echo "cafile=$authorities"; } >"$npmrc"
volumes=(--volume "$authorities:$authorities:ro" --volume "$npmrc:/root/.npmrc:ro")
# Debian’s buildah does not know by itself what it runs on.
buildah build --platform "$platform" --build-arg "BUILDPLATFORM=linux/$(dpkg --print-architecture)" --build-arg "BUILD_BASE=$build_base" --build-arg "RUNTIME_BASE=$runtime_base" --pull=never --isolation chroot --layers --timestamp 0 "${volumes[@]}" "${arguments[@]}" "$sources" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
digest_of() { buildah inspect --type image --format '{{.FromImageDigest}}' "$1"; }
base_digest() { echo "$(digest_of "$1")$(grep -qxF "$1" "$containers/stand-ins" 2>/dev/null && echo '=stand-in' || true)"; }
write_provenance "$platform" "$(digest_of "$tag")" "$(base_digest "$build_base")" "$(base_digest "$runtime_base")"
[ -z "${CCCAM_PROVENANCE:-}" ] || echo "$tag is in the storage that $CONTAINERS_STORAGE_CONF names: buildah images"
