#!/usr/bin/env bash
# Installs nginx with its stream module, which the bench compares with. Starts nothing.
set -euo pipefail
. "$(dirname "$0")/packages.sh"
install_packages nginx libnginx-mod-stream
