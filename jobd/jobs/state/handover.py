"""The earlier jobs that a job needs: whose end it awaits, and whose workspaces it reads. Pure data, and how long a workspace is needed.

A part of the record, so that a start of jobd knows every needed workspace before it removes one.
"""

from jobd.jobs.state.parts import Part


class Source(Part, frozen=True, kw_only=True):
    """An earlier job whose workspace stays for this job. `uid`: the id may belong to another job later. `files`: this job's inputs
    take files of that workspace; False for a job that is only awaited.
    """

    uid: str
    id: str
    files: bool = True
