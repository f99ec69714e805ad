"""How tokens go through a model: conversation, batches, head, statistics, sampling, weighted loss, backends."""
