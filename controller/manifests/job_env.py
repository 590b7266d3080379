"""Builds the variables of a dump container, which the dumper reads (contract section 7)."""

from controller.manifests.sharing.indexed_job import share_variables
from controller.manifests.storages.entries import from_secret, plain_variable
from controller.manifests.storages.sources import sources_of
from controller.manifests.storages.storage_env import further, places
from controller.model import names
from controller.model.objects import Json
from controller.settings.choices import Compression, Verify
from controller.settings.settings import Settings
from controller.workloads.backup_spec import BackupSpec
from dumpers.contract import names as variables
from dumpers.repository.retention.policy import NONE

# Where the certificates to trust are mounted.
CA_FOLDER = "/etc/ksnapshot/ca"


def build_env(
    spec: BackupSpec, settings: Settings, cluster: str, required_proof: str = ""
) -> list[Json]:
    """Build the variables: first those of 0.6.0 in its order, then ours, then the operator's own.

    `required_proof` is what proves a backup, empty for no more than that it was stored.
    """
    sources = sources_of(spec.request.storages, settings)
    env = [
        *places(sources),
        plain_variable(spec.engine.host_variable, spec.host),
        plain_variable(spec.engine.port_variable, str(spec.port)),
        *(plain_variable(name, str(number)) for name, number in spec.request.numbers),
    ]
    mirrored = names.secret_name(spec.name)
    env += [
        from_secret(mirrored, credential.variable, credential.variable)
        for credential in spec.engine.credentials
        if credential.variable in spec.credentials
    ]
    if spec.request.recipient:
        env.append(plain_variable(variables.ENCRYPTION_ENABLED, "true"))
        env.append(plain_variable(variables.ENCRYPTION_RECIPIENT, spec.request.recipient))
    env += [
        plain_variable(variables.CLUSTER, cluster),
        plain_variable(variables.WORKLOAD, spec.owner.key),
        plain_variable(variables.CRONJOB, spec.name),
        plain_variable(variables.DEADLINE, str(spec.request.deadline)),
        *further(sources, settings.backup_configmap_name),
        *(plain_variable(name, text) for name, text in spec.request.texts),
        *share_variables(spec.request.spread),
    ]
    if spec.request.tls:
        env.append(plain_variable(spec.engine.tls_variable, spec.request.tls))
    if spec.certificates:
        env.append(plain_variable(spec.engine.ca_file_variable, f"{CA_FOLDER}/{variables.CA_KEY}"))
    if spec.request.compression is not Compression.GZIP:
        env.append(plain_variable(variables.COMPRESSION, spec.request.compression))
    if spec.request.verify is Verify.READ_BACK:
        env.append(plain_variable(variables.VERIFY, variables.READ_BACK))
    if spec.request.accept:
        env.append(plain_variable(variables.ACCEPT, spec.request.accept))
    if spec.request.retention != NONE:
        env.append(plain_variable(variables.RETENTION, spec.request.retention))
        env.append(plain_variable(variables.TIME_ZONE, spec.request.time_zone))
    if required_proof:
        env.append(plain_variable(variables.REQUIRED_PROOF, required_proof))
    if spec.request.log_level:
        env.append(plain_variable(variables.LOG_LEVEL, spec.request.log_level))
    return [*env, *settings.job_pod.get("extraEnv", ())]
