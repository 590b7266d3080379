"""Elasticsearch and OpenSearch."""

from dumpers.contract.engine_spec import (
    Credential,
    DumperImage,
    EngineSpec,
    GroupLabel,
    Login,
    NumberOption,
    Role,
    TextOption,
)
from dumpers.engines.elasticsearch.throwaway import DRILL_SERVER

INDICES = TextOption(
    key="indices",
    variable="KSNAPSHOT_INDICES",
    help="Indices and data streams to dump, as patterns separated by commas; `-` leaves out.",
    wanted="patterns of names, separated by commas",
)
VERSIONS = TextOption(
    key="document-versions",
    variable="KSNAPSHOT_DOCUMENT_VERSIONS",
    help="`true` stores the version of every document, too.",
    wanted="true or false",
    pattern="true|false",
)
LIMIT = NumberOption(
    key="elasticsearch-limit",
    variable="ELASTICDUMP_LIMIT",
    default=1000,
    low=1,
    high=1_000_000,
    help="Documents per page.",
)

SPEC = EngineSpec(
    type="elasticsearch",
    title="Elasticsearch and OpenSearch",
    prefix="ELASTICSEARCH",
    port=9200,
    credentials=(
        Credential(role=Role.USERNAME, variable="ELASTICSEARCH_USERNAME"),
        Credential(role=Role.PASSWORD, variable="ELASTICSEARCH_PASSWORD"),
        Credential(role=Role.API_KEY, variable="ELASTICSEARCH_API_KEY"),
        Credential(role=Role.CERTIFICATE, variable="ELASTICSEARCH_CLIENT_CERTIFICATE"),
        Credential(role=Role.CERTIFICATE_KEY, variable="ELASTICSEARCH_CLIENT_KEY"),
    ),
    # Elastic's image and chart and Bitnami's; then OpenSearch's image and Bitnami's.
    logins=(
        Login(
            username=("ELASTICSEARCH_USERNAME", "ELASTIC_USERNAME"),
            password=("ELASTIC_PASSWORD", "ELASTICSEARCH_PASSWORD"),
            sign=Role.PASSWORD,
            default="elastic",
        ),
        Login(
            username=(),
            password=("OPENSEARCH_INITIAL_ADMIN_PASSWORD", "OPENSEARCH_PASSWORD"),
            sign=Role.PASSWORD,
            default="admin",
        ),
    ),
    # The Secret `<name>-es-elastic-user` of ECK.
    user_keys=("elastic",),
    numbers=(LIMIT,),
    texts=(INDICES, VERSIONS),
    # ECK makes a StatefulSet of each node set, the operator of OpenSearch one of each node pool.
    group_labels=(
        GroupLabel(key="elasticsearch.k8s.elastic.co/cluster-name"),
        GroupLabel(key="opster.io/opensearch-cluster"),
        GroupLabel(key="opensearch.org/opensearch-cluster"),
    ),
    time_first=True,
    server_images=r"elasticsearch(-oss|-wolfi)?|opensearch",
    swaps_aliases=True,
    drill_server=DRILL_SERVER,
    images=(
        DumperImage(
            versions=(),
            setting="ELASTICSEARCH_DUMPER_IMAGE",
            chart="dumperImages.elasticsearch",
            repository="ghcr.io/clickandmortar/ksnapshot-dumper-elasticsearch",
        ),
    ),
)
