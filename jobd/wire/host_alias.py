"""The name by which a job reaches the machine that jobd runs on, whichever engine runs the job.

Job files, callback URLs and jobd's own settings use it. The engine's adapter makes it known to containers; the name is the one that
Docker's users know.
"""

HOST_ALIAS = "host.docker.internal"
