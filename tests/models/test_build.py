"""A method is built from its configuration, or what is wrong with that is named."""

import pytest

from mgsl.errors import UserError
from mgsl.models import build
from tests import tiny


def test_a_method_that_does_not_exist_is_named_with_those_that_do() -> None:
    config = tiny.run_config("ctrl").model_copy(update={"method": "ctlr"})
    with pytest.raises(UserError, match=r"names the method 'ctlr'; there is: .*ctrl"):
        build(config)
