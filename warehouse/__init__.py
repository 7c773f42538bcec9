"""The cost table in BigQuery: its schema and views, as Terraform and the local stack create them, and what goes in."""
