"""Find what crosses from the test part of a split to what its models learn from."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.leakage.identity import audit_identity
from blastfold.leakage.split_audit import audit_split

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, written, params = snakemake.input, snakemake.output, snakemake.params
rule = {"name": snakemake.wildcards.protocol, "leakage": params.leakage}
with log_to(snakemake.log[0]):
    audit_split(
        **{name: stored[name] for name in ("folds", "manifest", "groups", "duplicates")},
        **{name: written[name] for name in ("summary", "crossings")},
        independent=params.independent,
        **rule,
    )
    files = {name: list(stored[name]) for name in ("tested", "learnt", "pairs", "locked")}
    audit_identity(params.comparisons, files, stored.folds, written.identity, **rule)
