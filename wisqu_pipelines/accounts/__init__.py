"""Developers' test accounts: made for a reason, for a time, and gone without a trace but the audit."""
