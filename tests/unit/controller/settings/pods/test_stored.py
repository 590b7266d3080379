import json

from controller.settings.job_pod import parse_job_pod
from controller.settings.pods.stored import as_stored


def test_what_says_nothing_is_left_out_and_what_has_a_meaning_stays() -> None:
    given = {
        "extraEnv": [{"name": "X_EMPTY", "value": ""}, {"name": "X", "value": "1"}],
        "extraVolumes": [
            {"name": "scratch", "emptyDir": {}},
            {"name": "claim", "persistentVolumeClaim": {"claimName": "c", "readOnly": False}},
            {"name": "files", "configMap": {"name": "m", "items": []}},
        ],
        "extraVolumeMounts": [{"name": "scratch", "mountPath": "/scratch", "readOnly": False}],
        "tolerations": [{"key": "gpu", "operator": "Exists", "value": ""}],
        "affinity": {
            "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []},
            "podAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {"topologyKey": "zone", "labelSelector": {"matchLabels": {"value": ""}}}
                ]
            },
        },
        "labels": {"value": ""},
    }
    found = parse_job_pod(json.dumps(given))
    assert found["extraEnv"] == [{"name": "X_EMPTY"}, {"name": "X", "value": "1"}]
    assert found["extraVolumes"]["scratch"] == {"name": "scratch", "emptyDir": {}}
    claim = found["extraVolumes"]["claim"]["persistentVolumeClaim"]
    assert claim == {"claimName": "c"}
    assert "items" not in found["extraVolumes"]["files"]["configMap"]
    assert found["extraVolumeMounts"]["/scratch"] == {"name": "scratch", "mountPath": "/scratch"}
    assert found["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert found["affinity"]["nodeAffinity"] == {}
    assert found["affinity"]["podAffinity"] == given["affinity"]["podAffinity"]  # type: ignore[index]
    assert found["labels"] == {"value": ""}
    assert as_stored(found) == found
