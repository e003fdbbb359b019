#!/usr/bin/env bash
# What the test node needs beside the programs of Kubernetes: Debian's containerd, its network plugins, and the images.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/scripts/packages.sh"
install_packages containerd runc containernetworking-plugins iptables conntrack iproute2 procps util-linux buildah mmdebstrap qemu-user-static
"$here/scripts/setup-control-plane.sh" node
CCCAM_BASES="${CCCAM_BASES:-debian}" "$here/scripts/base-images.sh" haproxy:3.0 localhost/pause:1
CCCAM_BASES="${CCCAM_BASES:-debian}" "$here/scripts/image.sh" cccam-operator:test
