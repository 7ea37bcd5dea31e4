"""What a loaded model is, and the engines that run one."""
