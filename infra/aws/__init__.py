"""What carries the stateless tier to AWS: reading the template, building and deploying it."""
