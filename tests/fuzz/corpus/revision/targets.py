"""targets"""
(revision, (down_revision, other)) = 'r', ('d', 'o')
[branch_labels, depends_on] = [None, other]
