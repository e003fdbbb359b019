# Sourced by the scripts that build images: keeps them in the cache, apart from whatever else the machine has. Images for another
# machine than this one (CCCAM_PLATFORM, such as linux/arm64) have the same names, so they are kept apart, too.
platform=${CCCAM_PLATFORM:-linux/$(dpkg --print-architecture)}
architecture=${platform#linux/}
containers="${CCCAM_CACHE:-$HOME/.cache/cccam-operator}/containers${CCCAM_PLATFORM:+-$architecture}"
mkdir -p "$containers"
# As a whole: another script may read it just now.
settings() { cat >"$containers/$1.$$" && mv "$containers/$1.$$" "$containers/$1"; }
settings storage.conf <<CONF
[storage]
driver = "overlay"
runroot = "$containers/run"
graphroot = "$containers/graph"
CONF
settings registries.conf <<CONF
unqualified-search-registries = ["docker.io"]
short-name-mode = "permissive"
CONF
settings policy.json <<CONF
{"default": [{"type": "insecureAcceptAnything"}]}
CONF
export CONTAINERS_STORAGE_CONF="$containers/storage.conf" CONTAINERS_REGISTRIES_CONF="$containers/registries.conf"
