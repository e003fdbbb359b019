#!/usr/bin/env bash
# Writes an image into the cache as a file that containerd can import, and prints the file's path. Files of older images of the name go.
#
# image-archive.sh <image>
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/scripts/container-storage.sh"
image=${1:?the image is missing}
id=$(buildah inspect --type image --format '{{.FromImageID}}' "$image")
folder="$containers/archives/${image//[:\/]/_}"
file="$folder/$id.tar"
exec 9>"$containers/archives.lock"
flock 9 # several tests may ask for the same one
if [ ! -e "$file" ]; then
  rm -rf "$folder"
  mkdir -p "$folder"
  buildah push --quiet "$image" "docker-archive:$file.new:$image" >/dev/null
  mv "$file.new" "$file"
fi
echo "$file"
