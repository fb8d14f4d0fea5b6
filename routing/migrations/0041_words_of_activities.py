"""Find what people sent after a lead by its words, as what came with the lead."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.contrib.postgres.search import SearchVector
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("routing", "0040_one_index_tells")]

    operations = [
        migrations.AddField(
            "activity",
            "also_sent",
            models.TextField(
                blank=True,
                db_default="",
                editable=False,
                help_text="Words that came with it and that neither contact nor company shows; used by the search",
            ),
        ),
        AddIndexConcurrently(
            "activity",
            GinIndex(
                SearchVector("also_sent", config="simple"),
                condition=~Q(also_sent=""),
                name="activity_by_words_sent",
            ),
        ),
    ]
