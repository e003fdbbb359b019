# Sourced by the scripts that build images: keeps them in the cache, apart from whatever else the machine has.
containers="${CCCAM_CACHE:-$HOME/.cache/cccam-operator}/containers"
mkdir -p "$containers"
cat >"$containers/storage.conf" <<CONF
[storage]
driver = "overlay"
runroot = "$containers/run"
graphroot = "$containers/graph"
CONF
cat >"$containers/registries.conf" <<CONF
unqualified-search-registries = ["docker.io"]
short-name-mode = "permissive"
CONF
cat >"$containers/policy.json" <<CONF
{"default": [{"type": "insecureAcceptAnything"}]}
CONF
export CONTAINERS_STORAGE_CONF="$containers/storage.conf" CONTAINERS_REGISTRIES_CONF="$containers/registries.conf"
