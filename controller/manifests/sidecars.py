"""Keeps sidecars out of dump pods: one that stays would keep the pod, and the next runs waiting.

These labels and annotations are set without being asked for, and give way to any other value, of a
setting or on the CronJob itself. So a mesh that lets nobody in without a proxy is a way to run.
"""

from controller.manifests.optional_fields import OptionalValues, Place, keyed_field
from controller.model.objects import DELETE, Json

# Those that Istio, Linkerd, Kuma, Consul, Vault, OpenTelemetry, NGINX, App Mesh, Open Service Mesh
# and Dapr heed. Istio and Kuma read labels, their older releases annotations.
_LABELS = {
    "sidecar.istio.io/inject": "false",
    "kuma.io/sidecar-injection": "disabled",
}
_ANNOTATIONS = {
    "sidecar.istio.io/inject": "false",
    "linkerd.io/inject": "disabled",
    "kuma.io/sidecar-injection": "disabled",
    "consul.hashicorp.com/connect-inject": "false",
    "vault.hashicorp.com/agent-inject": "false",
    "sidecar.opentelemetry.io/inject": "false",
    "injector.nsm.nginx.com/auto-inject": "false",
    "appmesh.k8s.aws/sidecarInjectorWebhook": "disabled",
    "openservicemesh.io/sidecar-injection": "disabled",
    "dapr.io/enabled": "false",
}
_FIELDS = (
    *(("labels", keyed_field(Place.POD_LABELS, key), text) for key, text in _LABELS.items()),
    *(
        ("annotations", keyed_field(Place.POD_ANNOTATIONS, key), text)
        for key, text in _ANNOTATIONS.items()
    ),
)

_ALL = {field: text for _, field, text in _FIELDS}


def without_sidecars(managed: OptionalValues, cronjob: Json | None) -> OptionalValues:
    """Add to the managed fields what keeps sidecars out, where nothing else is said of a field.

    What a setting asked for and does not any more is replaced; what differs on the existing CronJob
    without having been managed is its users'.
    """
    metadata = _template_metadata(cronjob or {})
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    if labels.items() >= _LABELS.items() and annotations.items() >= _ANNOTATIONS.items():
        # As of nearly all CronJobs.
        own = _ALL
    else:
        existing = {"labels": labels, "annotations": annotations}
        own = {
            field: text
            for place, field, text in _FIELDS
            if field in managed or existing[place].get(field.key, text) == text
        }
    asked = {field: value for field, value in managed.items() if value is not DELETE}
    return {**managed, **own, **asked} if managed else own


def _template_metadata(cronjob: Json) -> Json:
    """Metadata of the pods that a CronJob makes; empty where something is missing."""
    found = cronjob
    for part in ("spec", "jobTemplate", "spec", "template", "metadata"):
        found = found.get(part) or {}
    return found
