"""The small page for approvers: HTML from the server, without scripts, over the same services as everything else."""
