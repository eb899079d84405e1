"""Families of words, with their inflections, that compositions are made of: what is tried, with what, and how.

As they stand in normalised text: `ی`, `ک`, `ه`, `ا` for all their variants, `می کنم` and `میکنم` for `می‌کنم`.
"""

from wisqu_pipelines.detection.recogniser import any_of

MACHINERY = any_of(
    "up ?load(?:s|ing|er|ed)?", "down ?loads?", "log ?in", "log ?out", "sign ?(?:up|in)", "search", "ocr", "(?:re ?)?chunk(?:s|ing|er)?", "(?:re ?)?embed(?:ding|dings|der)?", "(?:re ?)?ingest(?:ion|ing|s)?", "pipelines?",
    "etl", "api", "endpoints?", "web ?hooks?", "web ?sockets?", "(?:re ?)?rank(?:er|ing)", "retriev(?:al|er)", "parsers?", "parsing", "rag", "llm", "stream(?:ing|s)", "ui", "ux", "rtl", "ltr", "bidi", "render(?:ing|er|s)?",
    "encoding", "unicode", "utf 8", "emojis?", "markdown", "(?:chat ?)?bots?", "deploy(?:ment|s|ed)?", "redeploy", "rollbacks?", "hot ?fix", "migrations?", "(?:re ?)?index(?:ing|er|es)?", "pagination", "dedup(?:lication)?", "sync", "backups?", "restore",
    "imports?", "importer", "exports?", "exporter", "buttons?", "drop ?down", "side ?bar", "tool ?tip", "modal", "form", "widget", "cache", "queue", "cron", "notifications?", "permissions?", "timeouts?", "rate limit(?:s|ing)?",
    "throttling", "latency", "concurren(?:cy|t)", "load", "prompts?", "tokens?", "citations? (?:pop ?up|links?)", "auto ?save", "error (?:handling|message|banner|page)", "back ?end", "front ?end", "staging", "database", "vector store", "qdrant", "minio", "postgres", "dagster", "s 3",
    "promotion", "moderation", "vectors?", "schema", "validation", "validator", "multi ?part", "mime", "metadata", "thumbnails?", "previews?", "scanner", "sessions?", "auth", "oauth", "sso", "pdf (?:viewer|parsing|extraction)",
)  # fmt: skip
"""Parts of software."""
PLAIN_MACHINERY = any_of(
    "up ?load(?:s|ing|er)?", "ocr", "(?:re ?)?chunk(?:s|ing|er)", "(?:re ?)?embeddings?", "ingest(?:ion)?", "pipelines?", "api", "endpoints?", "web ?hooks?", "re ?rank(?:er|ing)", "retriev(?:al|er)", "parsers?", "rag", "llm", "streaming", "ui", "rtl", "rendering",
    "encoding", "unicode", "pagination", "deploy(?:ment)?", "migrations?", "cache", "side ?bar", "drop ?down", "tool ?tip", "widget", "cron", "time ?outs?", "rate limit(?:s|ing)?", "back ?end", "front ?end", "text ?area", "search box", "chat ?bot", "scroll ?bar", "import(?:er)?", "screen ?shots?",
)  # fmt: skip
"""Those that nobody else speaks of."""
EXAMINING = any_of(
    "check(?:s|ing|ed)?", "verif(?:y|ying|ication)", "validat(?:e|ing|ion)", "regression", "repro(?:duce|duction)?", "benchmark(?:s|ing)?", "smoke", "sanity", "edge cases?", "dry run", "trial run", "test run", "perf", "perform(?:ance)? (?:run|check)",
    "stress", "trial", "(?:comparison|evaluation|eval|ablation) run", "eval(?:uation)?", "try(?:ing)? out", "debug(?:ging)?", "retest(?:ing)?", "re ?check(?:ing)?", "double check(?:ing)?", "confirm(?:ing)?", "experiment(?:s|ing)?", "probe", "corrupt(?:ed)?", "malformed", "broken", "oversized?", "zero byte",
)  # fmt: skip
"""How software is looked at."""
PERSIAN_MACHINERY = any_of(
    "اپلود", "دانلود", "بارگذاری", "بارگزاری", "جستجو(?:ی)?", "جست و جو(?:ی)?", "سرچ", "لاگین", "ورود (?:کاربر|به سیستم|به سامانه|به سایت)", "ثبت نام", "سامانه", "سیستم", "سایت", "وب سایت", "ربات", "بات", "چت ?بات", "اپ", "اپلیکیشن", "نرم افزار", "برنامه",
    "سرور", "سرویس", "دکمه", "فرم", "پنل", "داشبورد", "سایدبار", "منو", "اعلان(?: ها)?", "نوتیف(?:یکیشن)?", "ایندکس", "نمایه سازی", "دیتابیس", "پایگاه داده", "دیپلوی", "استقرار", "ریلیز", "انتشار نسخه", "اپدیت", "بروزرسانی", "به روز رسانی", "نسخه جدید",
    "ای پی ای", "api", "ocr", "او سی ار", "rag", "ui", "pdf", "upload", "deploy", "login", "search", "پی دی اف", "استریم(?:ینگ)?", "وب هوک", "راست چین", "چپ چین", "فونت", "نیم فاصله", "صفحه بندی", "پرفورمنس", "عملکرد", "سرعت (?:پاسخ|جواب|سیستم|سرور)", "چانک", "امبدینگ", "کش", "پایپ ?لاین",
    "خروجی", "ورودی", "فایل (?:بزرگ|خالی|خراب|حجیم)", "حجم (?:بالا|زیاد)", "رابط کاربری", "پرامپت", "توکن", "ارسال (?:پیام|فایل|ایمیل)", "ذخیره(?: سازی)?", "مایگریشن", "مهاجرت داده", "رتبه بندی", "رندر", "طول پاسخ", "پیش نمایش",
)  # fmt: skip
PERSIAN_EXAMINING = any_of("تست", "ازمایش", "امتحان", "چک", "چک کردن", "بررسی", "بررسی (?:صحت|عملکرد|کارکرد|درستی)", "ارزیابی", "راستی ازمایی", "دمو", "دموی", "دیباگ")  # fmt: skip
PERSIAN_TRIES = any_of("(?:تست|امتحان|ازمایش|چک|بررسی|test|check|تستش|امتحانش|چکش|بررسیش)(?: (?:رو|را))? (?:می ?)?(?:کنم|کنیم|کردم|کردیم|می کنم|می کنیم|کنن)", "(?:دارم|داریم) (?:[^ ]+ ){0,3}(?:تست|امتحان|ازمایش|چک) (?:می ?)(?:کنم|کنیم)")  # fmt: skip
"""Verbs: somebody tries something."""
PERSIAN_WORKS = any_of("کار می ?(?:کنه|کند|کنن)", "جواب می ?(?:ده|دهد)", "درست (?:نشون|نشان|کار|ذخیره|لود)", "نشون می ?ده", "نشان می ?دهد", "نمایش (?:می ?ده|داده می ?شود|داده می ?شه)", "(?:ثبت|ذخیره|لود|اپلود|ارسال|حذف|پاک) می ?(?:شه|شود)", "(?:ثبت|ذخیره|لود|اپلود|ارسال) (?:شد|شده)", "میاد", "می ?اید", "میره", "می ?رسه", "می ?رسد", "بالا میاد")  # fmt: skip
PERSIAN_UNREAL = any_of("تستی", "ازمایشی", "ساختگی", "فرضی", "الکی", "فیک", "دمو", "تست", "غیر واقعی", "fake", "demo", "dummy", "test", "خیالی", "موقت", "موقتی", "نمونه", "جعلی", "بیخودی", "مسخره", "همینجوری", "کشکی")  # fmt: skip
PERSIAN_THINGS = any_of(
    "کاربر(?:ی|ان)?", "یوزر", "اکانت", "حساب(?: کاربری)?", "ادمین", "مشتری", "عضو", "مهمان", "شخص", "فرد", "فایل(?: ها| های)?", "سند(?: ها)?", "پرونده", "پیام(?: ها)?", "متن", "محتوا(?:ی)?", "عنوان", "رکورد(?: ها| های)?", "ردیف", "گفتگو(?:ی)?", "گفت و گوی?", "مکالمه", "چت",
    "داده(?: ها| های)?", "دیتا(?:ی)?", "اطلاعات", "دیتاست", "عکس", "تصویر", "ایمیل", "ادرس ایمیل", "نام کاربری", "شماره(?: تلفن)?", "مجموعه(?: داده)?", "باکت", "ایندکس", "ورودی", "نظر", "کامنت", "پست",
)  # fmt: skip
_THE = "(?:و)?(?:ال|لل|بال|ب|ل)?"
ARABIC_MACHINERY = any_of(
    f"{_THE}(?:رفع|تحمیل|تنزیل|نظام|موقع|تطبیق|بوت|روبوت|منصه|خادم|سیرفر|واجهه|اشعار|اشعارات|دردشه|فهرسه|زر|ازرار|استیراد|تصدیر|تخزین|برنامج|شات بوت|خوارزمیه|سکربت|لوحه (?:ال)?تحکم|ترمیز|قاعده (?:ال)?بیانات|خط (?:ال)?عربی|تسجیل (?:ال)?دخول|تسجیل (?:ال)?خروج)",
    "(?:ال)?(?:بحث (?:ال)?(?:دلالی|نصی|جدید|متقدم)|ترتیب (?:ال)?نتایج|سرعه (?:ال)?(?:رد|استجابه|بحث|تحمیل)|عرض (?:ال)?(?:نص|عربیه|رسایل|لغه)|اتجاه (?:ال)?نص|بعد (?:ال)?(?:نشر|تحدیث|ترقیه|اصدار)|رسایل (?:ال)?خطا|حد (?:ال)?حجم|حجم کبیر|ملف (?:کبیر|فارغ|تالف)|ملفات (?:کبیره|فارغه|تالفه)|رد (?:ال)?(?:بوت|روبوت|الی))",
    "البحث", "النظام", "التحدیث", "الترتیب", "الفهرس", "الاداء", "الدخول", "الربط", "الدمج", "api", "ocr", "rag", "ui", "pdf", "upload", "deploy", "login", "search", "chatbot", "bot", "rtl", "webhook",
)  # fmt: skip
ARABIC_EXAMINING = any_of("(?:ال)?(?:تحقق|تاکد|فحص|اختبار|تجربه|تجریب|معاینه|تدقیق)(?: من)?(?: (?:عمل|صحه|سلامه|ان|اداء))?", "ل(?:ل)?(?:تحقق|تاکد) من", "لفحص", "لاختبار", "لتجربه", "لتجریب")  # fmt: skip
ARABIC_TRIES = any_of("(?:س)?(?:ا|ن|ی|ت)(?:جرب|ختبر|فحص)(?:ه|ها)?", "(?:جرب|اختبر|فحص)(?:ت|نا)(?:ه|ها)?", "نعمل (?:تجربه|اختبار|تست)", "(?:اعمل|بعمل|عامل) (?:تجربه|اختبار|تست)", "(?:جاری|قید) (?:ال)?(?:اختبار|تجربه|فحص)")  # fmt: skip
"""Verbs: somebody tries something."""
ARABIC_WORKS = any_of("(?:ی|ت)(?:عمل|شتغل|شغل|ظهر|حفظ|رد|ستجیب|فتح)", "شغال(?:ه)?", "ماشی", "تمام")  # fmt: skip
ARABIC_UNREAL = any_of("(?:ال)?(?:تجریبی|وهمی|اختباری|افتراضی|صوری|زایف|مزیف)(?:ه|ین|ون|ات)?", "غیر (?:ال)?(?:حقیقی|واقعی)(?:ه)?", "fake", "demo", "dummy", "test", "(?:ال)?موقت(?:ه)?", "لل(?:اختبار|تجربه|تجریب|فحص)", "تجربه", "اختبار", "تست", "دیمو")  # fmt: skip
ARABIC_THINGS = any_of(
    "(?:ال)?(?:مستخدم(?:ه|ین|ون)?|حساب(?:ات)?|شخص|عضو|عمیل|زبون|زایر|مدیر|مشرف|موظف|طالب|ملف(?:ات)?|مستند(?:ات)?|وثیقه|وثایق|رساله|رسایل|نص(?:وص)?|محتوی|عنوان|سجل(?:ات)?|سطر|محادثه|محادثات|بیانات|صوره|صور|برید|ایمیل|مجموعه|فهرس|حاویه|مدخل|ادخال|تعلیق|یوزر|اسم)",
)  # fmt: skip
LATIN_UNREAL = any_of("azmayesh(?:i|y)", "aazmayeshi", "azmoyeshi", "sakhtegi", "sakhtegy", "elaki", "alaki", "tajrib(?:i|y|iya|iyya|iyah|iyyah|eya)", "tajreebi(?:ya)?", "tagrib(?:i|iya)", "ikhtibari(?:ya)?", "lil ?(?:ikhtibar|tajriba|tajribah)")  # fmt: skip
"""Persian and Arabic words in Latin letters that say by themselves that something is only tried."""
LATIN_TRIES = any_of("testi?", "tasti", "wahm(?:i|iya|iyya|iyah)", "azmayesh(?:i)?", "farzi", "nemoone(?:h)?", "nemune(?:h)?", "mo?vag?h?at(?:i)?", "moaghat(?:i)?", "muaqqat(?:a)?", "mo?aqqat", "demo", "feyk", "fake", "tajrib(?:a|ah)", "tajruba", "tajreba", "ikhtibar", "ekhtebar", "e?khtibar", "tst")  # fmt: skip
"""Others, which can be real."""
LATIN_THINGS = any_of(
    "karbar(?:e|i)?", "kaarbar", "yuzer", "hesab(?:e)?", "akant", "sanad(?:e)?", "file(?: e)?", "fayl(?:e)?", "payam(?:e)?", "matn(?:e)?", "onvan(?:e)?", "nam(?: e)?", "dade(?:h)?", "data(?: ye)?", "etelaat", "goftogu(?:ye)?", "ketab(?:e)?", "majmu?e(?:h)?", "aks(?:e)?",
    "mustakhdim", "mostakhdem", "mustakhdam", "hisab", "mi?laff?", "malaff?", "mustanad", "risala(?:h)?", "resala", "nass", "unwan", "bayanat", "majmua(?:h)?", "sura", "wathiqa", "fihris", "sijill?", "muhadatha", "samane(?:h)?", "system", "nizam", "user", "bucket", "collection", "doc", "index", "upload", "raf", "rafa",
)  # fmt: skip
