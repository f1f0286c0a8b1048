"""Mutations that remove defences of validation."""

from scripts.mutations.mutation import SECURITY, C, I, SecurityMutation

MUTATIONS = (
    SecurityMutation(
        C,
        "any workspace is accepted",
        "jobd/wire/validation/names.py",
        'if any(path == bad or path.startswith(bad + "/") for bad in _FORBIDDEN_WORKSPACES):',
        "if False:",
        "tests/integration/api/jobs/test_submit.py::test_a_wrong_value_is_refused_with_its_field_and_nothing_else_happens",
    ),
    SecurityMutation(
        C,
        "a NUL in a text",
        "jobd/wire/validation/job_spec.py",
        '    if "\\0" in value:',
        "    if False:",
        "tests/integration/api/jobs/test_submit.py::test_a_wrong_value_is_refused_with_its_field_and_nothing_else_happens",
    ),
    SecurityMutation(
        C,
        "any number of cores",
        "jobd/wire/validation/job_spec.py",
        "if not math.isfinite(spec.cpu) or spec.cpu < 0 or spec.cpu > MAX_CPU:",
        "if spec.cpu < 0:",
        "tests/unit/jobd/wire/validation/test_job_spec.py::test_a_cpu_share_is_refused",
    ),
    SecurityMutation(
        C,
        "the last of two equal names counts",
        "jobd/wire/validation/body.py",
        "    if len(pairs) > 1 and len(dict(pairs)) != len(pairs):",
        "    if False:",
        "tests/integration/api/jobs/test_bodies.py::test_a_duplicate_name_is_refused_with_its_path",
    ),
    SecurityMutation(
        I,
        "cyclic dependencies are accepted",
        "jobd/wire/validation/artifacts.py",
        "if step in chain:",
        "if False:",
        f"{SECURITY}/test_input.py::test_invalid_dependencies_are_refused_by_name",
    ),
    SecurityMutation(
        I,
        "unknown dependencies are accepted",
        "jobd/wire/validation/artifacts.py",
        "if artifact.depends not in depends:",
        "if False:",
        f"{SECURITY}/test_input.py::test_invalid_dependencies_are_refused_by_name",
    ),
    SecurityMutation(
        I,
        "one id for two artifacts",
        "jobd/wire/validation/artifacts.py",
        "elif artifact.id in seen:",
        "elif False:",
        f"{SECURITY}/test_input.py::test_a_duplicate_artifact_id_is_refused",
    ),
    SecurityMutation(
        I,
        "the signature is not that of the body",
        "jobd/wire/signing.py",
        "prepared[0].digest(body)",
        'prepared[0].digest(body.strip(b"}"))',
        f"{SECURITY}/test_input.py::test_the_content_of_outputs_arrives_as_signed",
    ),
)
