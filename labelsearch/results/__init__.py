"""What stages and studies return: frozen dataclasses that write themselves into a folder and read themselves back."""
