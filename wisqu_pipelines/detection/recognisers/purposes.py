"""What somebody says a text is there for: to see whether the software works, to be taken away, to be replaced."""

from wisqu_pipelines.detection.evidence import FieldKind
from wisqu_pipelines.detection.recogniser import LIKELY, STRONG, Form, Recogniser, any_of, only_in

_PARTS = any_of(
    "uploads?", "uploading", "websockets?", "streaming", "rerank(?:er|ing)", "log ?in", "logging in", "sign ?up", "sign ?in", "builds?", "deploy(?:ed|ment)?s?", "buttons?", "sidebar", "rendering", "renders?", "rendered",
    "auto ?save", "permissions?", "citations?", "index(?:ed|ing)?", "notifications?", "mobile app", "dark mode", "dropdown", "redirects?", "cach(?:e|ed|ing)", "backend", "frontend", "servers?", "api", "admin panel",
    "non admin", "hot ?fix", "refresh", "ocr", "embeddings?", "file size", "max length", "line breaks?", "emoji", "rtl", "timestamps?", "avatar", "pdf viewer", "syncs?", "error message", "page loads?", "upload goes through", "autosaves?", "draft (?:is )?saved",
)  # fmt: skip
_PERSIAN_PARTS = any_of(
    "اپلود", "بارگذاری", "دیپلوی", "سرور", "لاگین", "دکمه", "رفرش", "باگ", "دسترسی کاربر", "راست چین", "چپ چین", "سرعت پاسخ", "اعلان(?: ها)?", "نوتیف(?:یکیشن)?", "ایندکس", "سرچ", "مرورگر", "اپ", "اپلیکیشن", "نسخه جدید", "اپدیت",
    "به روز رسانی", "بروزرسانی", "خطای [0-9]+", "ذخیره (?:می شه|میشه|می شود|میشود|شد|شده)", "لود", "سایدبار", "پنل", "login", "upload", "api", "ocr", "merge", "deploy", "release", "streaming", "pdf",
)  # fmt: skip
_ARABIC_PARTS = any_of(
    "(?:ال)?زر", "رفع (?:ال)?ملفات?", "الرفع", "(?:ال)?خادم", "(?:ال)?سیرفر", "القایمه الجانبیه", "الفهرس", "الفهرسه", "الصلاحیات", "الحفظ", "تسجیل (?:ال)?دخول", "اتجاه النص", "النشر", "التحدیث", "الاصلاح", "الاشعارات", "المتصفح", "(?:ال)?واجهه",
    "النظام", "التطبیق", "النسخه الجدیده", "عمل البحث", "البحث یعمل", "(?:ال)?رد (?:یطلع|ینقطع|یظهر)", "الرد ینقطع", "یشتغل", "تشتغل", "login", "upload", "api", "ocr", "deploy", "streaming", "pdf",
)  # fmt: skip
_PERSIAN_LOOKS = any_of("ببینم", "ببینیم", "چک (?:می )?(?:کنم|کنیم|کردم|کردن)", "چک (?:میکنم|میکنیم)", "جهت بررسی", "برای (?:بررسی|چک|اطمینان از)", "امتحان (?:می ?کنم|می ?کنیم|کنم|کنیم)")  # fmt: skip
_ARABIC_LOOKS = any_of("لاری", "لنری", "نشوف", "بشوف", "اشوف", "للتحقق من", "للتاکد من", "لاتاکد", "لاتحقق", "اتاکد", "اتحقق", "نتحقق", "لفحص", "فحص", "نجرب", "اجرب", "جربت")  # fmt: skip
_PERSIAN_THINGS = any_of("سند", "فایل", "پیام", "گفتگو", "گفت و گو", "رکورد", "ردیف", "کاربر", "مکالمه", "چت", "عکس", "متن")  # fmt: skip
_ARABIC_THINGS = any_of("الملف", "السجل", "المحادثه", "المستند", "الحساب", "الرساله", "المستخدم", "الوثیقه", "السطر", "النص", "الصوره")  # fmt: skip
_NEVER = only_in(FieldKind.PROSE, FieldKind.TITLE, FieldKind.PERSON, FieldKind.FILENAME)

GROUP = "purposes"
RECOGNISERS = (
    Recogniser(
        "sees_how_software_behaves",
        (
            f" (?:lets|let s|to|wanna|gonna|will|i ll) see (?:if|whether|how|that) (?:[^ ]+ ){{0,7}}{_PARTS} ",
            f" (?:checking|verifying|retrying|confirming|debugging|making sure|double checking) (?:[^ ]+ ){{0,5}}{_PARTS} ",
            f" trying (?:out )?(?:the|to|again|this|my|our|a|new) (?:[^ ]+ ){{0,3}}{_PARTS} ",
            " (?:first|second|third|another|last|previous|next) (?:attempt|try|upload) .*(?:40[0-9]|50[0-9]|errors?|failed|timed? ?out|crashed) ",
            " is this thing on $",
            "^ (?:hello |hi |hey )*(?:can|do|does) (?:you|anyone|anybody|u) (?:see|read|hear) (?:this|me)(?: message| msg| text)? .{0,40}$",
            " if you can (?:read|see) this ",
        ),
        STRONG,
        "somebody looks how the software behaves",
        ("Let's see whether the citations show up", "verifying that non-admin users cannot see it", "trying the delete button again", "second attempt, the first gave a 502", "can you see this message??"),
        ("Let's see whether prayer is valid", "trying to fast", "The first attempt to translate the Quran", "Can you see the moon?"),
        _NEVER,
    ),
    Recogniser(
        "sees_how_software_behaves_fa",
        (
            f" {_PERSIAN_LOOKS} (?:[^ ]+ ){{0,7}}{_PERSIAN_PARTS} ",
            f" {_PERSIAN_PARTS} (?:[^ ]+ ){{0,7}}{_PERSIAN_LOOKS} ",
            f"^ بررسی (?:[^ ]+ ){{0,3}}{_PERSIAN_PARTS} ",
            " (?:دوباره|مجدد|بار قبل|دفعه قبل) .*خطای? [0-9]{3} ",
            "^ (?:الو ){2,}",
            " (?:صدام?|پیامم?) (?:رو |را )?(?:می ?یاد|میاد|می ?رسه|می ?شنوید|می ?شنوی) ",
            " (?:این|یه|یک) [^ ]+ (?:رو |را )?(?:ساختم|نوشتم|فرستادم|گذاشتم|زدم|اپلود کردم) (?:که |تا )?(?:ببینم|ببینیم|چک کنم|بررسی) ",
            " (?:فقط|صرفا) برای (?:بررسی|چک|امتحان) (?:[^ ]+ ){0,4}(?:فرستادم|نوشتم|ساختم|گذاشتم) ",
            " تست{2,} ", " تی+ست{2,} ",
        ),
        STRONG,
        "somebody looks how the software behaves, in Persian",
        ("بعد از دیپلوی ببینیم جستجو درست شده", "صفحه رو رفرش میکنم ببینم میمونه", "بررسی دکمه ارسال", "الو الو", "تستتتت"),
        ("ببینم حکم نماز مسافر چیست", "بررسی آیه نور", "برای بررسی تاریخ اسلام", "دوباره وضو بگیرد"),
        _NEVER,
    ),
    Recogniser(
        "sees_how_software_behaves_ar",
        (
            f" {_ARABIC_LOOKS} (?:[^ ]+ ){{0,7}}{_ARABIC_PARTS} ",
            " (?:محاوله|تجربه) (?:ثانیه|اولی|ثالثه|اخری|جدیده) .*(?:خطا|الخادم|السیرفر|فشل|انقطع) ",
            " (?:رفعت|انشات|اضفت|اضفته|کتبت|ارسلت|ارسل) (?:[^ ]+ ){0,3}(?:لاری|لنری|لفحص|لاتاکد|لاتحقق|للتحقق|للتاکد) ",
            f" (?:محادثه|رساله|ملف|مستند|سجل|حساب) (?:[^ ]+ ){{0,2}}(?:للتحقق من|للتاکد من|لاری|لفحص) (?:[^ ]+ ){{0,3}}{_ARABIC_PARTS} ",
        ),
        STRONG,
        "somebody looks how the software behaves, in Arabic",
        ("رفعت هذا الملف لأرى إن كان يظهر", "محادثة للتأكد من عمل زر الحذف", "نجرب الآن تسجيل الدخول", "محاولة ثانية لأن الخادم أعطى خطأ"),
        ("للتحقق من صحة الحديث", "فحص طبي", "نجرب الصبر"),
        _NEVER,
    ),
    Recogniser(
        "not_to_be_kept",
        (
            "^ (?:[^ ]+ ){0,4}safe to (?:remove|delete|discard|drop|purge|erase) ",
            " not an? real (?:document|doc|user|person|file|account|record|conversation|message|book|entry) ",
            " will be (?:cleaned up|removed|deleted|dropped|wiped|purged) (?:after|later|soon|tomorrow|once|when|by) ",
            " (?:drop|wipe|purge|nuke) (?:it |this |them )?(?:after|later|anytime|any time|before) ",
            " temp(?:orary)? (?:record|row|file|doc|document|entry|account|upload|copy) (?:for|to|from|please|do not|don t) ",
        ),
        STRONG,
        "somebody says that it need not be kept",
        ("safe to remove", "Not a real document", "will be cleaned up after the sprint", "drop after Friday"),
        ("Is it always safe for us to remove it?", "temporary marriage", "not a real Muslim", "drop by drop"),
        {FieldKind.EMAIL: 0.0},
    ),
    Recogniser(
        "not_to_be_kept_fa",
        (
            f" (?:این )?{_PERSIAN_THINGS} (?:[^ ]+ )?واقعی نیست ",
            " (?:جدی نگیرید|توجه نکنید|اعتنا نکنید) .*(?:پاک|حذف|موقت|موقتی|تست) ",
            " (?:اشتباهی|الکی|برای دیباگ|موقع دیباگ) (?:ساختم|ساخته شده|ثبت شد|اپلود کردم|زدم) ",
            " (?:بعدا|بعد|فردا|خودم) (?:[^ ]+ )?(?:پاکش|حذفش) (?:می )?(?:کنم|میکنم|می ?کنیم) ",
            " (?:پاکش|حذفش) (?:می کنم|میکنم|می کنیم|میکنیم|کنید|کنین) ",
            "^ (?:پاک|حذف) (?:شود|شه|کنید|کن)(?: (?:[0-9]+|بعدا|لطفا|delete|pls|please|حتما))* $",
            f" این {_PERSIAN_THINGS} (?:را |رو )?(?:حذف|پاک) (?:شود|کنید|می شود|میشود|خواهد شد) ",
            " (?:موقتی|موقت) (?:است|هست|ه)? ?و? ?(?:[^ ]+ )?(?:پاک|حذف) (?:خواهد شد|می شود|میشود|می شه|میشه) ",
        ),
        STRONG,
        "somebody says in Persian that it need not be kept",
        ("این سند واقعی نیست", "جدی نگیرید، بعداً پاک می‌شود", "اشتباهی ساختم", "پاک شود ۲", "فردا حذفش می‌کنم"),
        ("گناهان پاک می‌شود", "حذف فعل به قرینه", "دنیا را جدی نگیرید", "این داستان واقعی نیست"),
        {FieldKind.EMAIL: 0.0},
    ),
    Recogniser(
        "not_to_be_kept_ar",
        (
            f" (?:تجاهل|تجاهلوا|احذف|احذفوا|امسح|امسحوا|حذف|مسح) (?:هذا|هذه) {_ARABIC_THINGS} ",
            " (?:احذفوه|احذفوها|امسحوها|امسحوه|احذفه|احذفها|امسحها|احذفنی|امسحه) ",
            f" (?:هذا|هذه) {_ARABIC_THINGS} (?:للحذف|للمسح|للرمی) ",
            " للرمی ",
            " (?:ساحذفه|ساحذفها|سامسحه|سامسحها|سیمسح|سیحذف|ستحذف|ستمسح) ",
            " (?:لیس|لیست) (?:مستندا|ملفا|حسابا|مستخدما|نصا|سجلا|وثیقه|محادثه|رساله) حقیقیا?ه? ",
            "^ (?:تجاهلوا?|تجاهلوه|تجاهلوها)(?: (?:من فضلکم?|رجاء|لو سمحتم|هذا|هذه))* $",
            " (?:انشی|انشات|رفع|رفعته|اضیف) بالخطا ",
        ),
        STRONG,
        "somebody says in Arabic that it need not be kept",
        ("تجاهل هذا الملف", "هذا المستخدم للحذف", "امسحوها", "ليس مستنداً حقيقياً", "سأحذفها غدا"),
        ("تجاهل هذا الحديث العلماء", "حذف الياء", "سيحفظ", "ليس حديثا صحيحا"),
        {FieldKind.EMAIL: 0.0},
    ),
    Recogniser(
        "to_be_replaced",
        (
            r"^\.{4,} ?[(\[]?[^.]{2,40}[)\]]? ?\.{4,}$",
            r"^\[[^\]]*(?:insert|enter|write|add|your|here|درج|وارد|بنویسید|نوشته|یضاف|یکتب|اکتب|ادخل|هنا|اینجا)[^\]]*\]$",
            r"^<[^<>@/]{3,40}>$",
            r"^(?:x{3,}|\*{3,}|#{3,}|-{3,}|_{3,}) ?[^x*#_-]{3,60} ?(?:x{3,}|\*{3,}|#{3,}|-{3,}|_{3,})$",
            r"^(?:lorem|text|title|description|summary|content|متن|نص|عنوان|توضیحات|خلاصه|الوصف|العنوان|الملخص) ?(?:here|goes here|اینجا|هنا|\.\.\.)$",
        ),
        STRONG,
        "brackets, dots or a label where words belong",
        ("[insert the summary here]", "<document title>", "............ (description) ............", "xxx fill me xxx", "title here"),
        ("[sic]", "<3", "... and then he died ...", "The title here is Imam"),
        {FieldKind.EMAIL: 0.0, FieldKind.IDENTIFIER: 0.0},
        Form.TEXT,
    ),
    Recogniser(
        "to_be_replaced_fa",
        (
            " (?:اینجا|در اینجا|در این (?:قسمت|فیلد|کادر|محل)) (?:[^ ]+ ){0,5}(?:بنویسید|بنویس|پر کنید|درج شود|درج کنید|وارد کنید|وارد شود|نوشته (?:شود|می شود)) ",
            " (?:را |رو )?(?:اینجا|در این (?:قسمت|فیلد|کادر)) (?:وارد|درج|پر) (?:کنید|شود) ",
            " (?:بعدا|بعد|فعلا|به زودی|بزودی) (?:[^ ]+ ){0,3}(?:اضافه|تکمیل|نوشته|جایگزین|وارد|درج) (?:می ?شود|می ?شه|شود|خواهد شد|می ?کنم|می ?کنیم|کنم) ",
            " (?:بعدا|فعلا) .*(?:می ?ذاریم|می ?گذاریم|می ?ذارم|می ?گذارم|می ?نویسم) ",
            " پر کردن (?:فضا|فضاست|جا|جای خالی|صفحه) ",
            " بعد از نوشته شدن ",
            " (?:متن|عنوان|عکس|تصویر|جایگزین|محتوای) (?:نمونه|موقت|موقتی|جایگزین) (?:[^ ]+ ){0,4}(?:قرار|صفحه|اینجا|جلد|ظاهر|نمایش) ",
            "^ (?:عنوان|متن|نام|موضوع|خلاصه) (?:گفتگو|سند|نمونه|فایل|پیام)(?: (?:اینجا|در اینجا|را|بنویسید|وارد کنید))? $",
            " فیلد (?:اجباری|اجباریه|الزامی|خالی) ",
            "^ جایگزین موقت ",
        ),
        STRONG,
        "it says in Persian that the real words are to come",
        ("توضیحات بعداً اضافه می‌شود", "خلاصه در این قسمت درج شود", "صرفا جهت پر کردن فضاست", "اینجا را پر کنید"),
        ("در این بخش زندگی امام بیان می‌شود", "بعدا قضا کند", "اینجا مسجد است", "متن کتاب"),
        {FieldKind.EMAIL: 0.0},
    ),
    Recogniser(
        "to_be_replaced_ar",
        (
            " (?:ادخال|ادخل|ادخلوا|اکتب|اکتبوا|اضف|ضع|املا) (?:[^ ]+ ){0,5}(?:هنا|فی هذا الحقل|فی هذه الخانه|فی هذا المکان) ",
            " (?:یضاف|تضاف|یکتب|تکتب|ستضاف|سیضاف|سیکتب|یستبدل|تستبدل|یدرج|ستدرج|یحدد|سیحدد) (?:[^ ]+ ){0,3}(?:لاحقا|فیما بعد|قریبا|بعدا) ",
            " (?:نص|محتوی|صوره|عنوان|مقدمه|وصف) (?:موقت|موقته|نموذجی|شکلی|بدیل) (?:[^ ]+ ){0,6}(?:لملء|استبداله|استبدالها|یستبدل|تستبدل|قبل النشر|الی ان|بالمحتوی) ",
            " لملء (?:ال)?(?:فراغ|خانه|صفحه|حقل) ",
            "^ (?:عنوان|نص|اسم|وصف|موضوع) (?:ال)?(?:وثیقه|مستند|ملف|محادثه|مستخدم)(?: هنا)? $",
            "^ (?:ال)?اسم (?:ال)?اول (?:ال)?اسم (?:ال)?(?:اخیر|ثانی) $",
        ),
        STRONG,
        "it says in Arabic that the real words are to come",
        ("يرجى إدخال النص هنا", "يُضاف الملخص لاحقاً", "نص مؤقت لملء الفراغ", "الاسم الأول الاسم الأخير"),
        ("اكتب الله له الأجر", "يستبدل الله السيئات", "اسم الله الأعظم"),
        {FieldKind.EMAIL: 0.0},
    ),
    Recogniser(
        "file_of_a_test_suite",
        (
            r"\.(?:spec|test|cy|e2e|stories)\.(?:[jt]sx?|mjs|py|rb)$",
            r"(?:^|/)(?:conftest|test_[a-z0-9_]+|[a-z0-9_]+_test|[a-z0-9_]+_spec)\.(?:py|go|rb|java|rs|php)$",
            r"(?:^|/)(?:__tests__|__mocks__|__snapshots__|e2e|fixtures?|cypress|testdata|test-data|test_data)/",
            r"(?:^|/)tests?/[^ ]+\.(?:py|[jt]sx?|go|rb|java|rs|json|ya?ml|snap|csv|txt)$",
            r"\.snap$",
        ),
        STRONG,
        "a file of a program's tests",
        ("chat-window.spec.ts", "tests/conftest.py", "fixtures/hadith_small.yaml", "e2e/login-flow.cy.js"),
        ("lectures/tests of faith.pdf", "spec.pdf", "notes on e2e.docx"),
        only_in(FieldKind.FILENAME, FieldKind.TITLE, FieldKind.IDENTIFIER),
        Form.TEXT,
    ),
    Recogniser(
        "name_in_a_test_suite",
        (" (?:before|after) (?:each|all) ", "^ (?:it )?should (?:[a-z]+ )+$", "^ assert (?:[a-z]+ )+$", " stub ", "^ stub ", " (?:seed|seeded|seeder) (?:[a-z0-9]|user|org|data|doc|file|[0-9]+)? ?$", " (?:factory|faker|mocked|stubbed) "),
        STRONG,
        "a name that programs' tests give",
        ("it_should_reject_expired_token", "beforeEach-created-doc", "stub_embedding_model", "org_seed_b"),
        ("black-seed-oil", "stubborn", "assertion", "before-dawn"),
        only_in(FieldKind.IDENTIFIER),
    ),
    Recogniser(
        "made_by_a_program",
        (" (?:اجرای|خروجی|توسط) (?:pytest|اسکریپت|تست|ربات تست) ", " (?:اسکریپت|ربات) (?:[^ ]+ ){0,4}(?:ساخته|ایجاد کرده|درست کرده) ", " (?:مولد|منشا|انشی) (?:الیا|تلقاییا|اوتوماتیکیا) ", " (?:auto ?generated|generated|seeded) (?:by|from) (?:the )?(?:[a-z]+ )?(?:script|seeder|fixture|factory|faker|tests?|suite) "),
        LIKELY,
        "it says that a program made it",
        ("سند اجرای pytest شماره ۴", "مستخدم مولّد آليا 12", "generated by the seed script"),
        ("اسکریپت نمایش", "generated by love"),
        {FieldKind.PERSON: STRONG, FieldKind.TITLE: STRONG, FieldKind.PROSE: STRONG},
    ),
)  # fmt: skip
