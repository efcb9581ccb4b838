"""Parts that machines share: controllers, layers."""
