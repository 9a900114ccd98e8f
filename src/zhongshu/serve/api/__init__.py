"""Our own JSON API, one file per noun. Handlers turn questions into calls of the stages' doors and answers into plain documents."""
