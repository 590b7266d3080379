"""Selectors by labels, held against a real API server by tests/integration."""

TAKEN = (
    "team=shop",
    "team==shop",
    "team!=shop",
    "team = shop , stage!=test",
    "team",
    "!team",
    "! team",
    "team in (shop)",
    "team in (shop, bank),stage notin (test)",
    "team notin ( shop,bank )",
    "example.com/team=shop",
    "kubernetes.io/metadata.name notin (kube-system)",
    "team=",
    "a_b.c-D=e_F.1",
)
REFUSED = (
    "team=shop,",
    ",team",
    "team=shop bank",
    "team in shop",
    "team in (shop",
    "team in",
    "team=~shop",
    "-team=shop",
    "team=-shop",
    "team=shop;stage=test",
    "EXAMPLE.com/team",
    "team=sh*p",
    "a/b/c=d",
    "t" * 64,
)
