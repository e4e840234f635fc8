"""What the environment and the policy file say."""
