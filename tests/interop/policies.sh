# Policies as their authors meet them: every example of the documentation gives the verdict that stands
# beside it, every policy in policies/ its cases, and the JSON Schema agrees with the loader.
exec python3 -B tests/interop/policy_documents.py
