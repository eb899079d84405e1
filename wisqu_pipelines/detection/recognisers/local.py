"""Test words of Persian and Arabic, where they are no evidence by themselves."""

from wisqu_pipelines.detection.evidence import FieldKind
from wisqu_pipelines.detection.recogniser import LIKELY, STRONG, WEAK, Recogniser, any_of

GROUP = "persian_and_arabic"
RECOGNISERS = (
    Recogniser(
        "persian_test_word",
        (" تست ",),
        WEAK,
        "a word of testers, and of exams and laboratories",
        ("تست نماز", "یک تست"),
        ("تستر", "راستی", "نخست"),
        {FieldKind.PROSE: 0.2, FieldKind.FILENAME: 0.5},
    ),
    Recogniser(
        "persian_trial",
        (" (?:تستی|ازمایشی) ",),
        0.5,
        "something is called a trial",
        ("انتشار آزمایشی", "سند آزمایشی نماز"),
        ("آزمایشگاه", "تستر"),
        {FieldKind.PROSE: 0.3},
    ),
    Recogniser(
        "persian_soft_word",
        (" (?:نمونه|ازمایش|ساختگی|فرضی|الکی|فیک|موقتی) ",),
        0.15,
        "a word that is more often real",
        ("تفسیر نمونه", "آزمایش خون"),
        ("نمونگی", "فرض"),
    ),
    Recogniser(
        "persian_made_up",
        (f" (?:کاربر|نام|حساب|شرکت|داده|داده های|اطلاعات|سند|متن|محتوای|شماره|ادرس|پرونده) (?:فرضی|خیالی|ساختگی|جعلی ازمایشی|الکی|فیک) ",),
        STRONG,
        "a thing of software that is called made up",
        ("کاربر فرضی", "داده‌های ساختگی برای فرم", "متن ساختگی"),
        ("داستان ساختگی", "سوال فرضی", "خبر ساختگی"),
        {FieldKind.PROSE: 0.6},
    ),
    Recogniser(
        "persian_sample_thing",
        (f"^ (?:فایل|کاربر|اکانت|داده|رکورد|متن|سند|محتوای|پیام) (?:نمونه|مثال|ازمایش|تست)(?: [0-9]+)?(?: [a-z]{{1,4}})? $", " (?:داده|داده های|فایل|رکورد|دیتای) (?:نمونه|تست|ازمایشی|تستی) "),
        STRONG,
        "a thing of software that is called a sample",
        ("فایل نمونه ۲", "داده‌های نمونه", "متن نمونه"),
        ("تفسیر نمونه", "مدرسه نمونه", "نمونه قرارداد", "معلم نمونه"),
        {FieldKind.PROSE: 0.5},
    ),
    Recogniser(
        "arabic_trial",
        (" (?:ال)?(?:تجریبی|تجریبیه|وهمی|وهمیه) ",),
        0.5,
        "something is called a trial, or imaginary",
        ("الإصدار التجريبي", "مشروع وهمي"),
        ("تجارب", "وهم العالم"),
        {FieldKind.PROSE: 0.25},
    ),
    Recogniser(
        "arabic_soft_word",
        (" (?:ال|لل)?(?:اختبار|تجربه|نموذج|مثال|عینه) ",),
        0.15,
        "a word that is more often real",
        ("اختبار الإيمان", "تجربة شخصية"),
        ("اختبارات", "نماذج"),
    ),
    Recogniser(
        "arabic_sample_thing",
        ("^ (?:ملف|مستخدم|بیانات|نص|مستند|وثیقه|حساب|سجل) (?:مثال|نموذج|تجربه|اختبار|للتجربه|للاختبار|عینه)(?: [0-9]+)?(?: [a-z]{1,4})? $",),
        STRONG,
        "a thing of software that is called a sample",
        ("ملف اختبار ٢", "مستخدم تجربة", "نص مثال"),
        ("مثال النص القرآني", "اختبار الملف"),
    ),
)  # fmt: skip
