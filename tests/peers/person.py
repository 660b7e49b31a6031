"""A person with a browser without JavaScript, for the test of the documents: opens an address, and presses on until nothing
is left to be pressed. Usage: person.py ADDRESS"""

import html.parser
import http.cookiejar
import sys
import urllib.parse
import urllib.request

WANTED = ["Begin", "Go to GitHub", "Create GitHub App", "Continue: install the app at GitHub", "Install"]


class Page(html.parser.HTMLParser):
    """The forms and links of a page by what they say."""

    def __init__(self, text):
        super().__init__()
        self.ways, self.form, self.link, self.said = {}, None, None, ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form":
            self.form = (given.get("action") or "", [])
        elif tag == "input" and self.form and given.get("name"):
            chosen = given.get("type") not in ("radio", "checkbox") or "checked" in given
            if chosen:
                self.form[1].append((given["name"], given.get("value") or ""))
        elif tag == "a":
            self.link = given.get("href")
        if tag in ("button", "a", "h1"):
            self.said = ""

    def handle_endtag(self, tag):
        if tag == "button" and self.form:
            self.ways[self.said.strip()] = self.form
        elif tag == "a" and self.link:
            self.ways[self.said.strip()] = (self.link, None)
        elif tag == "form":
            self.form = None
        elif tag == "h1":
            print(self.said.strip())

    def handle_data(self, data):
        self.said += data


def main():
    cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies)
    answer = browser.open(sys.argv[1])
    while True:
        page = Page(answer.read().decode())
        label = next((label for label in WANTED if label in page.ways), None)
        if label is None:
            return
        action, fields = page.ways[label]
        body = None if fields is None else urllib.parse.urlencode(fields).encode()
        answer = browser.open(urllib.parse.urljoin(answer.url, action), body)


main()
