#!/usr/bin/env bash
# The first process of the test cluster, in process, mount and network namespaces of its own: when it ends, everything in them ends, and
# every mount and interface goes with it. Starts each part, and starts it again when it ends, unless hold/<part> is there.
#
# init.sh <folder> <programs of the control plane> <programs of the node> <host address> <node address> <network of clients>
set -uo pipefail
folder=$1 assets=$2 tools=$3 host=$4 node=$5 clients=$6
cd "$folder" || exit 1

# A group of its own: the kubelet's mounts must reach the containers, and must not reach the machine.
mount --make-rprivate / && mount --make-rshared /
# What these programs keep in fixed places of a machine is kept here instead.
for place in var/lib/kubelet var/lib/containerd var/lib/cni var/log/pods var/log/containers run/containerd run/netns etc/cni/net.d; do
  mkdir -p "$folder/node/$place" "/$place"
  mount --bind "$folder/node/$place" "/$place"
done
mount --make-shared /run/netns
cp cni.conflist /etc/cni/net.d/10-bridge.conflist

ip link set lo up
until ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done
ip address add "$node/16" dev eth0
ip link set eth0 up
ip route add default via "$host"
# The clients, by one neighbour and not by hundreds: the table of those is the whole machine's.
ip route add "$clients" via "$host"
for setting in net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0; do sysctl -qw "$setting"; done

# part, program and its arguments
keep() {
  local part=$1
  shift
  while :; do
    while [ -e "hold/$part" ]; do sleep 0.05; done
    "$@" >>"log/$part.log" 2>&1 &
    echo $! >"pid/$part"
    wait $!
    sleep 0.2
  done
}

keep etcd "$assets/etcd" --data-dir=etcd --unsafe-no-fsync --log-level=error \
  --listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379 --listen-peer-urls=http://127.0.0.1:2380 &

# Its own certificate is the only authority: it names this address and the one that pods see.
keep kube-apiserver "$assets/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 --secure-port=6443 --advertise-address="$node" \
  --cert-dir=tls --token-auth-file=tokens.csv --authorization-mode=Node,RBAC --service-cluster-ip-range=10.96.0.0/16 --allow-privileged \
  --service-account-issuer=https://kubernetes.default.svc --service-account-signing-key-file=tls/sa.key --service-account-key-file=tls/sa.pub \
  --kubelet-preferred-address-types=InternalIP &

until [ -s tls/apiserver.crt ]; do sleep 0.05; done

keep kube-controller-manager "$assets/kube-controller-manager" --kubeconfig=admin.kubeconfig --leader-elect=false --secure-port=0 \
  --service-account-private-key-file=tls/sa.key --root-ca-file=tls/apiserver.crt --use-service-account-credentials \
  --cluster-cidr=10.244.0.0/16 --kube-api-qps=200 --kube-api-burst=400 &

keep kube-scheduler "$tools/kube-scheduler" --kubeconfig=admin.kubeconfig --leader-elect=false --secure-port=0 &

keep containerd containerd --config containerd.toml &

until [ -S /run/containerd/containerd.sock ]; do sleep 0.05; done
keep kubelet "$tools/kubelet" --config=kubelet.yaml --kubeconfig=kubelet.kubeconfig --hostname-override=node-1 --node-ip="$node" --cert-dir=tls &

# Nothing here may change the machine's own connection tracking.
keep kube-proxy "$tools/kube-proxy" --kubeconfig=admin.kubeconfig --hostname-override=node-1 --cluster-cidr=10.244.0.0/16 \
  --proxy-mode=iptables --oom-score-adj=0 --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0 &

# Waiting, a shell also lays the orphans to rest that containers leave behind.
while :; do wait -n || sleep 0.2; done
