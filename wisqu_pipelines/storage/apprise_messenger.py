"""The messenger port on Apprise: mail, Slack, Telegram, webhooks and many more, by address."""

from apprise import Apprise, AppriseAsset, NotifyFormat

from wisqu_pipelines.errors import BadSettings


class AppriseMessenger:
    """Sends by the address alone. Nothing is kept on disk, and no image is asked for from anywhere."""

    def send(self, url: str, title: str, body: str) -> bool:
        """Send a message; whether the other side took it."""
        asset = AppriseAsset(app_id="Wisqu pipelines", app_desc="Wisqu pipelines", image_url_mask="", async_mode=False)
        target = Apprise(asset=asset)
        if not target.add(url):
            raise BadSettings(message="notifications: the address of a target is none that Apprise knows")
        return bool(target.notify(body=body, title=title, body_format=NotifyFormat.TEXT))
