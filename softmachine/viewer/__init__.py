"""The page that plays traces: by itself, served, in reports and in notebooks."""
