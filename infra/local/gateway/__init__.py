"""The embedded API gateway: what API Gateway and Lambda do on AWS, read from template.yaml."""
