"""Command lines and configuration files of the cluster's parts."""

import json
from pathlib import Path

import yaml

from tests.testbed.cluster.images import PAUSE
from tests.testbed.cluster.layout import (
    API_PORT,
    CGROUP,
    DNS_ADDRESS,
    NODE,
    NODE_PODS,
    PODS,
    SERVICES,
    Layout,
)

CNI_PROGRAMS = Path("/usr/lib/cni")
Command = list[str | Path]


def etcd(layout: Layout) -> Command:
    return [
        layout.tools["etcd"],
        "--unsafe-no-fsync",
        "--log-level=warn",
        f"--data-dir={layout.folder / 'etcd'}",
    ]


def apiserver(layout: Layout) -> Command:
    keys = layout.folder / "pki"
    return [
        layout.tools["kube-apiserver"],
        "--etcd-servers=http://127.0.0.1:2379",
        f"--secure-port={API_PORT}",
        f"--advertise-address={layout.node_address}",
        "--allow-privileged",
        f"--cert-dir={keys}",
        f"--tls-cert-file={keys / 'apiserver.crt'}",
        f"--tls-private-key-file={keys / 'apiserver.key'}",
        f"--client-ca-file={keys / 'ca.crt'}",
        f"--kubelet-client-certificate={keys / 'apiserver-kubelet.crt'}",
        f"--kubelet-client-key={keys / 'apiserver-kubelet.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={keys / 'service-account.pub'}",
        f"--service-account-signing-key-file={keys / 'service-account.key'}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--service-cluster-ip-range={SERVICES}",
    ]


def controller_manager(layout: Layout) -> Command:
    keys = layout.folder / "pki"
    return [
        layout.tools["kube-controller-manager"],
        f"--kubeconfig={layout.folder / 'kube-controller-manager.kubeconfig'}",
        f"--cert-dir={keys}",
        f"--service-account-private-key-file={keys / 'service-account.key'}",
        f"--root-ca-file={keys / 'ca.crt'}",
        "--use-service-account-credentials",
        "--leader-elect=false",
    ]


def scheduler(layout: Layout) -> Command:
    return [
        layout.tools["kube-scheduler"],
        f"--kubeconfig={layout.folder / 'kube-scheduler.kubeconfig'}",
        f"--cert-dir={layout.folder / 'pki'}",
        "--leader-elect=false",
    ]


def proxy(layout: Layout) -> Command:
    return [
        layout.tools["kube-proxy"],
        f"--kubeconfig={layout.folder / 'kube-proxy.kubeconfig'}",
        f"--hostname-override={NODE}",
        "--proxy-mode=iptables",
        f"--cluster-cidr={PODS}",
        # The limit is the whole machine's; a network namespace may not change it.
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
    ]


def coredns(layout: Layout) -> Command:
    path = layout.folder / "Corefile"
    path.write_text(f""".:53 {{
    bind {DNS_ADDRESS}
    errors
    ready 127.0.0.1:8181
    cache 5
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {layout.folder / "admin.kubeconfig"}
        pods insecure
        ttl 5
    }}
}}
""")
    return [layout.tools["coredns"], "-conf", path]


def containerd(layout: Layout) -> Command:
    folder = layout.folder
    networks = folder / "cni"
    networks.mkdir()
    # ptp and not bridge: between pods of one bridge, replies from behind a Service find their way
    # only where the kernel has br_netfilter.
    network = {
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": True,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(folder / "addresses"),
                    "ranges": [[{"subnet": NODE_PODS}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }
    (networks / "10-pods.conflist").write_text(json.dumps(network))
    path = folder / "containerd.toml"
    path.write_text(f"""version = 3
root = "{folder}/containerd"
state = "/run/containerd"
[grpc]
  address = "{layout.containerd_socket}"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "{layout.snapshotter}"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{PAUSE}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{CNI_PROGRAMS}"]
    conf_dir = "{networks}"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      SystemdCgroup = false
[plugins."io.containerd.transfer.v1.local"]
  [[plugins."io.containerd.transfer.v1.local".unpack_config]]
    platform = "linux"
    snapshotter = "{layout.snapshotter}"
""")
    return [layout.tools["containerd"], "--config", path]


def kubelet(layout: Layout) -> Command:
    folder = layout.folder
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": layout.node_address,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(folder / "pki/ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}",
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        # A machine at work is often short of disk by kubelet's standards.
        "evictionHard": {"memory.available": "0%", "nodefs.available": "0%"},
        "failCgroupV1": False,
        "failSwapOn": False,
        "imageGCHighThresholdPercent": 100,
        "podLogsDir": "/var/log/pods",
        "resolvConf": "",
        "volumePluginDir": str(folder / "volume-plugins"),
    }
    path = folder / "kubelet.yaml"
    path.write_text(yaml.safe_dump(config))
    return [
        layout.tools["kubelet"],
        f"--config={path}",
        f"--kubeconfig={folder / 'kubelet.kubeconfig'}",
        f"--hostname-override={NODE}",
        f"--node-ip={layout.node_address}",
        f"--root-dir={folder / 'kubelet'}",
        f"--cert-dir={folder / 'kubelet-pki'}",
    ]
