"""The container images of the long-lived tier, and what readies their stores."""
