"""A person pays on a phone: the cashier and the test-mode page in headless Chromium."""

import os
from pathlib import Path
from urllib.parse import urlencode
import uuid

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.wait import WebDriverWait

from harness.pingpp_http import charge
from harness.waiting import DEADLINE_SECONDS, eventually

# A browser that hangs must not hold up the rest for long.
pytestmark = pytest.mark.timeout(120)

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "images"
PHONE = {"width": 390, "height": 844, "pixelRatio": 2, "mobile": True}
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
LANGUAGES = {"zh": "zh-CN", "en": "en"}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.add_experimental_option("mobileEmulation", {"deviceMetrics": PHONE})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    driver.set_page_load_timeout(DEADLINE_SECONDS)
    yield driver
    driver.quit()


class Sale:
    """One charge and the browser of its payer."""

    def __init__(self, browser, api, sink, app_id, channel, language):
        self.browser, self.api, self.sink = browser, api, sink
        self.language = language
        self.paid_url = sink.url(f"/shop/paid/{uuid.uuid4().hex}")
        self.left_url = sink.url(f"/shop/left/{uuid.uuid4().hex}")
        extra = {"success_url": self.paid_url, "cancel_url": self.left_url}
        parameters = charge(
            app_id,
            channel,
            subject="明前龙井 250克 <礼盒>",
            extra=extra if channel == "alipay_wap" else {},
        )
        answer = api.post("/v1/charges", parameters)
        assert answer.status == 200, answer.body
        self.charge = answer.json()
        self.credential = self.charge["credential"][channel]
        self.is_code = channel == "alipay_qr"

    def open(self):
        """Goes to the cashier as the payer's phone would, and picks the language there."""
        if self.is_code:
            self.browser.get(self.credential)
        else:
            fields = dict(self.credential)
            self.browser.get(fields.pop("channel_url") + "?" + urlencode(fields))
        if self.tongue() != LANGUAGES[self.language]:
            self.browser.find_element(By.CSS_SELECTOR, f"a[href*='lang={self.language}']").click()
            self.until(lambda: self.tongue() == LANGUAGES[self.language])
        return self

    def tongue(self):
        return self.browser.find_element(By.TAG_NAME, "html").get_attribute("lang")

    def button(self, name):
        return self.browser.find_element(By.ID, name)

    def until(self, condition):
        WebDriverWait(self.browser, DEADLINE_SECONDS).until(lambda _: condition())

    def has(self, name):
        return bool(self.browser.find_elements(By.ID, name))

    def kept(self):
        return self.api.get(f"/v1/charges/{self.charge['id']}").json()

    def events(self):
        listed = self.api.get("/v1/events?type=charge.succeeded&limit=100").json()["data"]
        return [one for one in listed if one["data"]["object"]["id"] == self.charge["id"]]

    def paid_once(self):
        """Waits for the webhook and checks that the payment happened once."""
        eventually(lambda: self.kept()["paid"], "the charge to be paid")

        def accepts(received):
            return received.json()["data"]["object"]["id"] == self.charge["id"]

        told = self.sink.wait(accepts, path="/hook")
        assert len({received.json()["id"] for received in told}) == 1
        assert len(self.events()) == 1
        return True

    def arrived_after_paying(self):
        """The payer's page once the money has moved: the shop's, or the cashier's own."""
        if self.is_code:
            self.until(lambda: not self.has("pay"))
        else:
            self.until(lambda: self.browser.current_url.startswith(self.paid_url))


@pytest.fixture(params=["alipay_wap", "alipay_qr"])
def channel(request):
    return request.param


@pytest.fixture(params=list(LANGUAGES))
def sale(request, channel, browser, api, sink, app_id):
    browser.get_log("browser")
    sale = Sale(browser, api, sink, app_id, channel, request.param).open()
    yield sale
    complaints = [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
    # Our stand-in for the merchant's shop has no icon; browsers ask for one all the same.
    assert [line for line in complaints if "favicon" not in line["message"]] == []


def picture(browser, name):
    """Keeps a picture for the README when asked to."""
    if os.environ.get("SYCEE_SCREENSHOTS") == "1":
        PICTURES.mkdir(parents=True, exist_ok=True)
        assert browser.save_screenshot(str(PICTURES / f"{name}.png"))


def click_twice(browser, button):
    """Two clicks of a nervous thumb.

    The page sends them to itself: the driver's own second click would wait for the page that the
    first one opens, and has been seen to wait for ever.
    """
    script = "const b = arguments[0]; b.click(); setTimeout(() => b.click(), 20);"
    browser.execute_script(script, button)


def test_the_page_fits_a_phone_and_speaks_the_payers_language(browser, sale, channel):
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width <= PHONE["width"], "the page is wider than the phone"
    for name in ("pay", "fail", "cancel"):
        button = sale.button(name)
        assert button.is_displayed() and button.size["height"] >= 40, name
    text = browser.find_element(By.TAG_NAME, "body").text
    assert "19.90" in text and "明前龙井 250克 <礼盒>" in text
    assert ("支付" if sale.language == "zh" else "Pay") in sale.button("pay").text
    picture(browser, f"cashier-{channel}-{sale.language}")


def test_paying_tells_the_merchant(browser, sale, channel):
    sale.button("pay").click()
    sale.arrived_after_paying()
    assert sale.paid_once()
    if sale.is_code:
        picture(browser, f"cashier-{channel}-{sale.language}-paid")


def test_failing_leaves_the_charge_open(browser, sale, channel):
    sale.button("fail").click()
    sale.until(lambda: browser.find_elements(By.CSS_SELECTOR, "[role=status]"))
    picture(browser, f"cashier-{channel}-{sale.language}-failed")
    assert sale.kept()["paid"] is False
    sale.button("pay").click()
    sale.arrived_after_paying()
    assert sale.paid_once()


def test_cancelling_leaves_the_charge_unpaid(browser, sale):
    sale.button("cancel").click()
    if sale.is_code:
        sale.until(lambda: browser.find_elements(By.CSS_SELECTOR, "[role=status]"))
    else:
        sale.until(lambda: browser.current_url.startswith(sale.left_url))
    kept = sale.kept()
    assert (kept["paid"], kept["reversed"]) == (False, False)
    assert sale.events() == []


def test_a_double_click_pays_once(browser, sale):
    click_twice(browser, sale.button("pay"))
    sale.arrived_after_paying()
    assert sale.paid_once()


def test_a_reload_pays_once(browser, sale):
    sale.button("pay").click()
    sale.arrived_after_paying()
    browser.refresh()
    assert not sale.has("pay")
    assert sale.paid_once()


def test_going_back_and_paying_again_pays_once(browser, sale):
    sale.button("pay").click()
    sale.arrived_after_paying()
    browser.back()
    if sale.has("pay"):
        sale.button("pay").click()
        sale.until(lambda: not sale.has("pay"))
    assert sale.paid_once()


@pytest.fixture(params=list(LANGUAGES))
def mock_page(request, browser, api, sink, app_id):
    """The page that the browser library opens for a test charge, in one language."""
    browser.get_log("browser")
    sale = Sale(browser, api, sink, app_id, "alipay_wap", request.param)
    query = {"ch_id": sale.charge["id"], "channel": "alipay_wap", "lang": LANGUAGES[sale.language]}
    browser.get(f"http://{api.host}:{api.port}/mock.php?{urlencode(query)}")
    yield sale
    complaints = [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
    assert [line for line in complaints if "favicon" not in line["message"]] == []


def test_the_mock_page_fits_a_phone(browser, mock_page):
    assert mock_page.tongue() == LANGUAGES[mock_page.language]
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width <= PHONE["width"], "the page is wider than the phone"
    for name in ("pay", "fail", "cancel"):
        button = mock_page.button(name)
        assert button.is_displayed() and button.size["height"] >= 40, name
    assert "明前龙井 250克 <礼盒>" in browser.find_element(By.TAG_NAME, "body").text
    picture(browser, f"mock-{mock_page.language}")


def test_the_mock_page_pays(browser, mock_page):
    mock_page.button("pay").click()
    mock_page.until(lambda: browser.current_url.startswith(mock_page.paid_url))
    assert mock_page.paid_once()
    browser.back()
    browser.refresh()
    assert not mock_page.has("pay")


def test_the_mock_page_pays_once_on_a_double_click(browser, mock_page):
    click_twice(browser, mock_page.button("pay"))
    mock_page.until(lambda: browser.current_url.startswith(mock_page.paid_url))
    assert mock_page.paid_once()


def test_the_mock_page_fails_and_the_charge_stays_open(mock_page):
    button = mock_page.button("fail")
    button.click()
    WebDriverWait(mock_page.browser, DEADLINE_SECONDS).until(staleness_of(button))
    mock_page.until(lambda: mock_page.has("pay"))
    assert mock_page.tongue() == LANGUAGES[mock_page.language]
    assert mock_page.kept()["paid"] is False
    mock_page.button("pay").click()
    assert mock_page.paid_once()


def test_the_mock_page_cancels(browser, mock_page):
    mock_page.button("cancel").click()
    mock_page.until(lambda: browser.current_url.startswith(mock_page.left_url))
    assert mock_page.kept()["paid"] is False
