"""Getting in by an invitation, and back in after a reload."""

from playwright.async_api import expect

from tests.support.chromium import Chromium, Tab
from tests.support.clients import access_token
from tests.support.server import API_KEY, API_SECRET, RunningServer, running_server

ROOM = "/r/kitchen"
KEYS = {"api_key": API_KEY, "api_secret": API_SECRET}
OWN_INVITATION = "Whoever you send it to needs an invitation of their own."


def invitation(identity: str, *, lifetime: float = 600, **grants: bool) -> str:
    return access_token(identity, lifetime=lifetime, roomJoin=True, room="kitchen", **grants)


async def in_call(tab: Tab) -> None:
    await expect(tab.page.locator("#call")).to_be_visible()


async def test_token_in_the_fragment_never_reaches_the_server(chromium: Chromium) -> None:
    async with running_server(**KEYS) as server:
        tab = await chromium.open("about:blank")
        asked: list[str] = []
        tab.page.on("request", lambda request: asked.append(request.url))
        token = invitation("ann")
        await tab.page.goto(f"{server.url}{ROOM}?codec=VP9#token={token}")
        assert tab.page.url == server.url + ROOM + "?codec=VP9"
        await tab.page.click("#join")
        await in_call(tab)
        assert asked
        assert not [url for url in asked if token in url.partition("#")[0]]
        assert tab.page.url == server.url + ROOM + "?codec=VP9"
        assert tab.errors == []


async def test_token_in_the_query_works_too(chromium: Chromium) -> None:
    async with running_server(**KEYS) as server:
        tab = await chromium.open(f"{server.url}{ROOM}?token={invitation('ann')}")
        assert tab.page.url == server.url + ROOM
        await tab.page.click("#join")
        await in_call(tab)


async def test_reloaded_lobby_still_has_the_invitation(chromium: Chromium) -> None:
    async with running_server(**KEYS) as server:
        # The token alone says which room.
        tab = await chromium.open(f"{server.url}/#token={invitation('ann')}")
        assert tab.page.url == server.url + ROOM
        await tab.page.reload()
        await expect(tab.page.locator("#name")).to_have_value("ann")
        await tab.page.click("#join")
        await in_call(tab)
        # Another room has nothing of it.
        await tab.page.goto(server.url + "/r/garden")
        await expect(tab.page.locator("#room")).to_have_value("garden")
        await expect(tab.page.locator("#name")).to_be_editable()


async def test_refused_invitation_is_forgotten(chromium: Chromium) -> None:
    async with running_server(**KEYS) as server:
        expired = invitation("ann", lifetime=-3600)
        tab = await chromium.open(f"{server.url}{ROOM}#token={expired}")
        await tab.page.click("#join")
        await expect(tab.page.get_by_role("alert")).to_contain_text("Your invitation is not valid")
        await tab.page.reload()
        await expect(tab.page.locator("#name")).to_be_editable()
        assert await tab.evaluate("Object.keys(sessionStorage)") == []


async def test_invitation_opened_in_the_same_tab(chromium: Chromium) -> None:
    async with running_server(**KEYS) as server:
        tab = await chromium.open(server.url + ROOM)
        await tab.page.goto(f"{server.url}{ROOM}#token={invitation('ann')}")
        await expect(tab.page.locator("#name")).to_have_value("ann")
        assert tab.page.url == server.url + ROOM


async def test_name_of_the_token_is_shown_and_cannot_be_changed(chromium: Chromium) -> None:
    async with running_server(**KEYS) as server:
        tab = await chromium.open(f"{server.url}{ROOM}#token={invitation('ann')}")
        name = tab.page.locator("#name")
        await expect(name).to_have_value("ann")
        await expect(name).not_to_be_editable()
        await expect(tab.page.locator("#room")).not_to_be_editable()
        await expect(
            tab.page.get_by_text("Your invitation sets your name and the room.")
        ).to_be_visible()
        await tab.page.click("#join")
        await expect(tab.page.get_by_role("article", name="ann (you)")).to_be_visible()

        tab = await chromium.open(
            f"{server.url}{ROOM}#token={invitation('ann', canUpdateOwnMetadata=True)}"
        )
        await tab.page.fill("#name", "Ann of Green Gables")
        await tab.page.click("#join")
        await expect(
            tab.page.get_by_role("article", name="Ann of Green Gables (you)")
        ).to_be_visible()


async def test_copied_link_says_that_it_is_not_enough(
    chromium: Chromium, server: RunningServer
) -> None:
    async with running_server(**KEYS) as closed:
        tab = await chromium.open(f"{closed.url}{ROOM}#token={invitation('ann')}")
        await tab.page.click("#join")
        copy = tab.page.locator("header .copy-link")
        await expect(copy).to_have_attribute("title", OWN_INVITATION)
        await expect(tab.page.locator("#invite")).to_be_hidden()
        await copy.click()
        await tab.is_told(OWN_INVITATION)

    tab = await chromium.open(server.url + ROOM)
    await tab.page.fill("#name", "Ann")
    await tab.page.click("#join")
    await tab.page.locator("#invite").click()
    await tab.is_told("ink")
    await expect(tab.page.locator("#toasts")).not_to_contain_text("invitation")


async def test_reload_in_the_call_returns_to_it(chromium: Chromium, server: RunningServer) -> None:
    ann, ben = [await chromium.open(server.url + ROOM) for _ in range(2)]
    for tab, name in ((ann, "Ann"), (ben, "Ben")):
        await tab.page.fill("#name", name)
        await tab.page.click("#join")
        await in_call(tab)
    await ann.page.reload()
    await in_call(ann)
    await ann.decodes(1)
    await ben.decodes(1)
    await expect(ben.page.locator("#people-badge")).to_have_text("2")

    # Who leaves, leaves; and who is asked for devices first looks at the lobby first.
    await ann.page.click("#leave")
    await ann.page.reload()
    await expect(ann.page.locator("#join")).to_be_enabled()
    await ben.context.add_init_script(
        "navigator.permissions.query = async () => ({ state: 'prompt' });"
    )
    await ben.page.reload()
    await expect(ben.page.locator("#join")).to_be_enabled()
    await ben.page.wait_for_timeout(500)
    await expect(ben.page.locator("#lobby")).to_be_visible()
    assert ann.errors == ben.errors == []


async def test_reload_in_the_call_takes_the_invitation_along(chromium: Chromium) -> None:
    async with running_server(**KEYS) as server:
        tab = await chromium.open(f"{server.url}{ROOM}#token={invitation('ann')}")
        await tab.page.click("#join")
        await in_call(tab)
        await tab.page.reload()
        await in_call(tab)
        await expect(tab.page.locator("#people-badge")).to_have_text("1")
        assert tab.errors == []
