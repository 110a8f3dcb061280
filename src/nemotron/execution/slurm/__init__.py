"""Runs on a Slurm cluster: submitted in one go, ordered by the cluster, asked about when somebody asks.

`submission` says what the jobs are, `script` writes what the cluster runs, `submit` hands it over, `states`
and `home` learn what became of it, `host` is the only module that talks to the cluster. `in_job*` run there,
inside the jobs, on the standard library and PyYAML. Nothing of ours stays running beside the jobs.
"""
