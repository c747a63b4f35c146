"""Durable state: ports, engines, migrations and one repository per topic."""
