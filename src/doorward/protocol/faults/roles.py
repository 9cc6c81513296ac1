"""Roles and resource trees that a tenant looks after itself (DW-470 to DW-474)."""

from doorward.protocol.faults.fault import Fault

ROLE_UNKNOWN = Fault(
    "DW-470",
    "There is no such role",
    "No role of this name or id is in this tenant.",
    "Look at the list of roles again.",
)
ROLE_INVALID = Fault(
    "DW-471",
    "A role cannot be like this",
    "The name is taken or not as it has to be, or one of the permissions is not known here.",
    "Mend what is named and send it again.",
)
ROLE_IN_USE = Fault(
    "DW-472",
    "This role is in use",
    "Somebody holds the role, is invited with it, or would get it by their mail domain.",
    "Move those who hold it to another role, and take back what still promises it.",
)
ROLE_BUILT_IN = Fault(
    "DW-473",
    "This role is built in",
    "The built-in roles are the same in every tenant; they are not changed and not deleted.",
    "Make a role of your own.",
)
TREE_ELSEWHERE = Fault(
    "DW-474",
    "This tree is kept elsewhere",
    "A product pushes this tree, and its next push would undo what is changed here.",
    "Change it in the product, or let the tree be changed here from now on.",
)
