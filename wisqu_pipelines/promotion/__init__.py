"""Promotion: plan, approval, execution, rollback of items between environments."""
