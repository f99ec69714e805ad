"""What a stage runs and no number depends on: it may be edited freely, and is followed by no fingerprint.

An entry is a module or package ("clearminds.job" covers all below it) or one definition ("module:name"). Of everything
else that runs while a stage computes, each definition is in its fingerprint; a test traces that. So an entry is a claim
to be checked by a reader: what is listed here reports, names or records, and hands no value on to a result.
"""

REPORTING_ONLY = (
    "clearminds.errors",  # messages
    "clearminds.progress",  # lines that tell how far a loop is
    "clearminds.checkout",  # where this checkout's files are; those that are read count by their content
    "clearminds.job",  # how a job runs: its log, locks, devices and record
    "clearminds.model.throughput",  # what a run cost
    "clearminds.files.stamps",  # refuses files that changed, and hands on none of what they say
    "clearminds.plugins.rule_words",  # messages, and what the card and the report say
    "clearminds.plugins.load",  # finds plugins by their names; the one that is found counts
    "clearminds.files.tables:LIBRARIES",  # versions, recorded
    "clearminds.files.tables:library_versions",
    "clearminds.reuse.store:note_use",  # how often a store was of use
    "clearminds.stages.fetching.wording",  # messages
    "clearminds.stages.nothing_left",  # messages
    "clearminds.stages.verify_responses:sandbox_used",  # recorded
    "clearminds.stages.training.amounts",  # recorded
    "clearminds.stages.training.card",  # the model card
    "clearminds.stages.training.loss_in_words",
)
