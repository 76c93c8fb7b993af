"""The Prefect blocks are the schema of slipway.toml, and keep the standard of Prefect's own."""

import pytest
from prefect.blocks.core import Block
from prefect.testing.standard_test_suites.blocks import BlockStandardTestSuite
from pydantic import ValidationError

from blocks import prefect_blocks
from blocks.file import SlipwayFile
from blocks.prefect_blocks import DeployTarget, GitRepository
from blocks.settings import Settings
from tests.blocks.test_file import ADAPTER, ENVIRONMENT, EXAMPLE

BLOCKS = [
    each
    for each in vars(prefect_blocks).values()
    if isinstance(each, type) and issubclass(each, Block) and each is not Block
]


def schema_of(block: type[Block]) -> type[Settings]:
    (schema,) = (each for each in block.__bases__ if issubclass(each, Settings))
    return schema


def test_there_is_a_block_for_every_place_and_for_the_target() -> None:
    assert {schema_of(each) for each in BLOCKS} == set(Settings.__subclasses__())


@pytest.mark.parametrize("block", BLOCKS, indirect=True)
class TestBlocks(BlockStandardTestSuite):
    @pytest.fixture
    def block(self, request: pytest.FixtureRequest) -> type[Block]:
        found: type[Block] = request.param
        return found

    def test_has_a_valid_image(self, block: type[Block]) -> None:
        """A logo would be fetched from elsewhere by every browser; none ships in the wheel."""
        assert block._logo_url is None

    def test_it_adds_no_field_to_the_schema(self, block: type[Block]) -> None:
        schema = schema_of(block)

        assert list(block.model_fields) == list(schema.model_fields)
        for name, field in schema.model_fields.items():
            assert block.model_fields[name].description == field.description

    def test_it_has_a_required_field(self, block: type[Block]) -> None:
        """Prefect can't tell blocks apart by reference whose fields all have defaults."""
        assert any(field.is_required() for field in block.model_fields.values())

    def test_its_slug_says_whose_it_is(self, block: type[Block]) -> None:
        assert str(block._block_type_slug).startswith("slipway-")


def test_a_target_of_the_file_is_a_target_as_a_block() -> None:
    settings = SlipwayFile(EXAMPLE, ENVIRONMENT).target(ADAPTER)

    block = DeployTarget.model_validate(settings.model_dump())

    assert block.target() == settings.target()
    assert "canary" not in repr(block)
    assert block.pulumi.token.get_secret_value() == "canary-pulumi"


def test_an_address_with_a_token_is_refused_by_its_block_and_not_repeated() -> None:
    with pytest.raises(ValidationError, match="token") as refused:
        GitRepository(url="https://canary@github.com/acme/shop.git")

    assert "canary" not in str(refused.value)


def test_every_secret_is_one_for_prefect_too() -> None:
    fields = DeployTarget.model_json_schema()["secret_fields"]

    assert set(fields) == {
        "repository.token",
        "repository.github_token",
        "registry.password",
        "pulumi.token",
        "cluster.kubeconfig_text",
    }
