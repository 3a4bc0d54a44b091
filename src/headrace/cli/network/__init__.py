"""`headrace network …`: the operator's commands. The work is done in `headrace.network`; here it is said."""
