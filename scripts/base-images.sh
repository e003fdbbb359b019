#!/usr/bin/env bash
# Makes sure that images are there that ours stands on: pulls them, or makes stand-ins of the same names from Debian's packages, which
# have the same programs in the same places and the same users. Prints nothing but what it does.
#
# base-images.sh <image>...
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/scripts/packages.sh"
. "$here/scripts/container-storage.sh"
node_modules="$here/node_modules"
release=trixie
native=$(dpkg --print-architecture)
PULL_LIMIT_S=120

# Unpacks packages of Debian and all that they need; none of their scripts run. architecture, folder, packages...
unpack() {
  local machine=$1 root=$2 mirror
  shift 2
  install_packages mmdebstrap
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || { echo "no Debian mirror is configured here, so the base images cannot be made" >&2; exit 1; }
  as_root mmdebstrap --quiet --variant=extract --architectures="$machine" --include="base-files base-passwd ca-certificates $*" "$release" "$root" "$mirror" 2>"$root.log" ||
    { cat "$root.log" >&2; exit 1; }
  # What the packages' scripts would have done.
  cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
  cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
  find "$root/usr/share/ca-certificates" -name '*.crt' -exec cat {} + >"$root/etc/ssl/certs/ca-certificates.crt"
  rm -rf "$root/usr/share/doc" "$root/usr/share/man" "$root/usr/share/locale" "$root/usr/share/info" "$root/var/cache" "$root/var/lib/apt" "$root"/usr/lib/*/gconv
}

# The program of Node.js, of the very version that the dependencies bring: architecture, file.
add_node() {
  local suffix=$1 here_is package
  [ "$1" = amd64 ] && suffix=x64
  here_is="$node_modules/node-linux-$suffix/bin/node"
  if [ ! -e "$here_is" ]; then
    package=$(mktemp -d)
    (cd "$package" && npm pack --silent "node-linux-$suffix@$("$node_modules/.bin/node" -p process.versions.node)" >/dev/null && tar -xzf ./*.tgz)
    here_is="$package/package/bin/node"
  fi
  cp "$here_is" "$2"
  rm -rf "${package:-}"
}

# architecture, image, root, what else stands in its Dockerfile
make_image() {
  local machine=$1 image=$2 root=$3
  shift 3
  { echo 'FROM scratch'; echo 'ADD root.tar /'; printf '%s\n' "$@"; } >"$root.dockerfile"
  as_root tar --sort=name --mtime=@0 --numeric-owner -C "$root" -cf "$(dirname "$root")/root.tar" .
  buildah build --quiet --platform "linux/$machine" --isolation chroot --timestamp 0 --tag "$image" --file "$root.dockerfile" "$(dirname "$root")" >/dev/null
}

make_standin() {
  local image=$1 work
  work=$(mktemp -d)
  chmod 755 "$work"
  echo "making $image"
  case $image in
    node:*)
      unpack "$native" "$work/root" bash coreutils findutils grep sed libstdc++6
      mkdir -p "$work/root/usr/local/bin" "$work/root/usr/local/lib/node_modules"
      add_node "$native" "$work/root/usr/local/bin/node"
      cp -a "$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")" "$work/root/usr/local/lib/node_modules/npm"
      ln -s ../lib/node_modules/npm/bin/npm-cli.js "$work/root/usr/local/bin/npm"
      ln -s bash "$work/root/usr/bin/sh"
      make_image "$native" "docker.io/library/$image" "$work/root" 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' 'CMD ["node"]'
      ;;
    */distroless/nodejs*)
      unpack "$architecture" "$work/root" libstdc++6 tzdata
      mkdir -p "$work/root/nodejs/bin" "$work/root/home/nonroot"
      add_node "$architecture" "$work/root/nodejs/bin/node"
      echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >>"$work/root/etc/passwd"
      echo 'nonroot:x:65532:' >>"$work/root/etc/group"
      make_image "$architecture" "$image" "$work/root" 'USER 65532' 'ENTRYPOINT ["/nodejs/bin/node"]'
      ;;
    localhost/pause:*)
      mkdir "$work/root"
      cp "${CCCAM_CACHE:-$HOME/.cache/cccam-operator}/control-plane/pause" "$work/root/pause"
      make_image "$native" "$image" "$work/root" 'USER 65535:65535' 'ENTRYPOINT ["/pause"]'
      ;;
    haproxy:*)
      unpack "$native" "$work/root" haproxy
      mkdir -p "$work/root/usr/local/sbin" "$work/root/usr/local/etc/haproxy" "$work/root/var/lib/haproxy"
      mv "$work/root/usr/sbin/haproxy" "$work/root/usr/local/sbin/haproxy"
      echo 'haproxy:x:99:99:haproxy:/var/lib/haproxy:/sbin/nologin' >>"$work/root/etc/passwd"
      echo 'haproxy:x:99:' >>"$work/root/etc/group"
      make_image "$native" "docker.io/library/$image" "$work/root" 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
        'STOPSIGNAL SIGUSR1' 'USER haproxy' 'WORKDIR /var/lib/haproxy' 'CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]'
      ;;
    *)
      echo "no stand-in is known for $image" >&2
      exit 1
      ;;
  esac
  as_root rm -rf "$work"
  echo "$image" >>"$containers/stand-ins"
}

# What our image stands on is of the machine that it is for, all else of this one.
platform_of() { case $1 in */distroless/*) echo "$platform" ;; *) echo "linux/$native" ;; esac; }

for image in "$@"; do
  buildah inspect --type image "$image" >/dev/null 2>&1 && continue
  if [ "${CCCAM_BASES:-}" != debian ] && [[ $image != localhost/* ]]; then
    echo "pulling $image"
    timeout "$PULL_LIMIT_S" buildah pull --quiet --platform "$(platform_of "$image")" "$image" >/dev/null 2>&1 && continue
    echo "it cannot be pulled here"
  fi
  make_standin "$image"
done
