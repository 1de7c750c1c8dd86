# café in a comment is nothing to Python
revision = "utf1"
down_revision = None
x = "café"
